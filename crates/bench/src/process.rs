//! CPU seconds and resident memory of processes, from `/proc`.
//!
//! CPU time is counted by the kernel in clock ticks of 10 ms, threads included, children not. Peak memory is told
//! twice: the largest of the samples taken during a round, and the process's own high-water mark, which also covers
//! all that came before.

use crate::error::BenchError;
use std::io;

/// Reads the counters of some processes.
pub(crate) struct Watch {
    processes: Vec<u32>,
    cpu_at_start: f64,
    rss_peak_kib: u64,
}

/// What processes together have used since the watch began.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Usage {
    pub cpu_seconds: f64,
    pub rss_peak_kib: u64,
    pub high_water_kib: u64,
}

impl Watch {
    /// Begins to watch; nothing when there are no processes.
    pub(crate) fn begin(processes: &[u32]) -> Result<Option<Self>, BenchError> {
        if processes.is_empty() {
            return Ok(None);
        }
        let cpu_at_start = sum(processes, cpu_seconds)?;
        let mut watch = Self { processes: processes.to_vec(), cpu_at_start, rss_peak_kib: 0 };
        watch.sample()?;
        Ok(Some(watch))
    }

    /// The client itself.
    pub(crate) fn own() -> Result<Option<Self>, BenchError> {
        Self::begin(&[std::process::id()])
    }

    /// Notes the memory of this moment.
    pub(crate) fn sample(&mut self) -> Result<(), BenchError> {
        let rss_kib: u64 = sum(&self.processes, |pid| status_kib(pid, "VmRSS:"))?;
        self.rss_peak_kib = self.rss_peak_kib.max(rss_kib);
        Ok(())
    }

    /// What was used until now.
    pub(crate) fn usage(&mut self) -> Result<Usage, BenchError> {
        self.sample()?;
        Ok(Usage {
            cpu_seconds: sum(&self.processes, cpu_seconds)? - self.cpu_at_start,
            rss_peak_kib: self.rss_peak_kib,
            high_water_kib: sum(&self.processes, |pid| status_kib(pid, "VmHWM:"))?,
        })
    }
}

fn sum<T: std::iter::Sum>(processes: &[u32], read: impl Fn(u32) -> io::Result<T>) -> Result<T, BenchError> {
    processes.iter().map(|pid| read(*pid).map_err(|source| BenchError::Process { pid: *pid, source })).sum()
}

fn cpu_seconds(pid: u32) -> io::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = parse_ticks(&stat).ok_or(io::ErrorKind::InvalidData)?;
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// User and system time of a `stat` line: fields 14 and 15 of proc(5). The second field is the command, in
/// parentheses, and may itself hold spaces and parentheses.
fn parse_ticks(stat: &str) -> Option<u64> {
    let (_, behind_command) = stat.rsplit_once(')')?;
    let mut fields = behind_command.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn status_kib(pid: u32, field: &str) -> io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    parse_kib(&status, field).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse_kib(status: &str, field: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(field))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(parse_ticks(stat), Some(300));
        assert_eq!(parse_ticks("7 (a) S 1"), None);
    }

    #[test]
    fn memory_is_read_in_kib() {
        let status = "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(parse_kib(status, "VmRSS:"), Some(1024));
        assert_eq!(parse_kib(status, "VmSwap:"), None);
    }

    #[test]
    fn our_own_process_can_be_watched() {
        let usage = Watch::own().unwrap().unwrap().usage().unwrap();
        assert!(usage.cpu_seconds >= 0.0 && usage.rss_peak_kib > 0 && usage.high_water_kib >= usage.rss_peak_kib / 2);
    }

    #[test]
    fn a_missing_process_is_named() {
        assert!(matches!(Watch::begin(&[u32::MAX]), Err(BenchError::Process { pid: u32::MAX, .. })));
    }
}
