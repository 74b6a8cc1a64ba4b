//! What this process has used so far, from /proc.

/// CPU time and bytes sent to the disk.
pub struct Usage {
    /// User and system time, in milliseconds.
    pub cpu_ms: f64,
    /// Bytes handed to the block layer.
    pub written: u64,
}

impl Usage {
    /// Up to now.
    pub fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        let io = std::fs::read_to_string("/proc/self/io").unwrap();
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
        Self { cpu_ms: ticks * 10.0, written: line.parse().unwrap() }
    }

    /// The difference.
    pub fn since(&self, before: &Self) -> Self {
        Self { cpu_ms: self.cpu_ms - before.cpu_ms, written: self.written - before.written }
    }

    /// The most memory that was resident at once, in MiB.
    #[allow(dead_code, reason = "only one of the two programs prints it")]
    pub fn resident_mib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}
