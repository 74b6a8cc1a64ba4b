//! A line on the terminal that moves; nothing when standard error is not one.

use crate::phase::Phase;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The line. Clones share it.
#[derive(Clone)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Draws on standard error, if that is a terminal.
    pub(crate) fn on_terminal() -> Self {
        let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{prefix} [{bar:30}] {percent:>3} % {msg}")
            .expect("the template is a constant that a test parses");
        bar.set_style(style.progress_chars("=> "));
        Self(bar)
    }

    pub(crate) fn begin(&self, endpoint: &str, title: &str) {
        self.0.reset();
        self.0.set_prefix(format!("{endpoint} {title}"));
        self.0.set_message("");
    }

    pub(crate) fn show(&self, phase: &Phase) {
        self.0.set_position((phase.progress() * STEPS as f64) as u64);
        self.0.set_message(format!("{} done", phase.finished()));
    }

    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}

const STEPS: u64 = 1000;

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_is_valid() {
        super::Progress::on_terminal().end();
    }
}
