//! A bar on the terminal while bytes move; nothing when standard error is not one.

use std::io;
use std::sync::Arc;

use client::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar over all files of a command.
#[derive(Clone)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// Draws on standard error, if that is a terminal.
    pub(super) fn on_terminal() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let template = "[{bar:30}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
        let style = ProgressStyle::with_template(template).expect("the template is a constant that a test parses");
        bar.set_style(style.progress_chars("=> "));
        Self(bar)
    }

    pub(super) fn watcher(&self) -> Arc<dyn Progress> {
        Arc::new(self.clone())
    }

    /// Writes a line of the result above the bar.
    pub(super) fn line(&self, text: &str) -> io::Result<()> {
        self.0.suspend(|| crate::output::line(text))
    }

    /// Tells an error above the bar.
    pub(super) fn complain(&self, error: &anyhow::Error) {
        self.0.suspend(|| crate::output::complain(error));
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn expect(&self, bytes: u64) {
        self.0.inc_length(bytes);
    }

    fn moved(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn taken_back(&self, bytes: u64) {
        self.0.set_position(self.0.position().saturating_sub(bytes));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_is_valid() {
        super::Bar::on_terminal().end();
    }
}
