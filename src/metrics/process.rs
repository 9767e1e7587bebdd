//! What the system says of this process, from `/proc`; where there is none, its series are absent.

use std::fs;

use prometheus::{Counter, Registry};

use super::kinds::{Gauge, Kind};

/// The unit of times in `/proc/self/stat`: USER_HZ, 100 in Linux's ABI on every machine that we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// The `process_*` metrics that every exporter has, and which build this is.
#[derive(Debug)]
pub(super) struct ProcessMetrics {
    of_system: Option<OfSystem>,
}

#[derive(Debug)]
struct OfSystem {
    cpu: Counter,
    resident: Gauge,
    threads: Gauge,
    open_fds: Gauge,
}

/// What stands in `/proc/self/stat`.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    threads: f64,
    /// Since boot.
    started_seconds: f64,
}

impl ProcessMetrics {
    pub(super) fn register(registry: &Registry) -> Self {
        let gauge = |name, help| Gauge::bind(&Gauge::family(registry, name, help, &[], &[]), &[]);
        let build =
            Gauge::family(registry, "tidegate_build_info", "Is 1; says which build this is.", &["version"], &[]);
        Gauge::bind(&build, &[env!("CARGO_PKG_VERSION")]).set(1.0);

        let of_system = Stat::look().map(|stat| {
            let help = "When the process started, in seconds since 1970.";
            gauge("process_start_time_seconds", help).set(booted_at().unwrap_or(0.0) + stat.started_seconds);
            gauge("process_max_fds", "How many files the process may have open.").set(most_files().unwrap_or(0.0));
            let help = "Time that the processor worked for the process.";
            let cpu = Counter::family(registry, "process_cpu_seconds_total", help, &[], &[]);
            OfSystem {
                cpu: Counter::bind(&cpu, &[]),
                resident: gauge("process_resident_memory_bytes", "Memory of the process that is in RAM."),
                threads: gauge("process_threads", "Threads of the process."),
                open_fds: gauge("process_open_fds", "Files, sockets and the like that the process has open."),
            }
        });
        Self { of_system }
    }

    /// Brings the gauges up to date.
    pub(super) fn look(&self) {
        let Some(metrics) = &self.of_system else { return };
        if let Some(stat) = Stat::look() {
            metrics.cpu.inc_by((stat.cpu_seconds - metrics.cpu.get()).max(0.0));
            metrics.threads.set(stat.threads);
        }
        if let Some(bytes) = resident_bytes() {
            metrics.resident.set(bytes);
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // The listing has one open itself.
            metrics.open_fds.set(f64::from(u32::try_from(entries.count().saturating_sub(1)).unwrap_or(u32::MAX)));
        }
    }
}

impl Stat {
    fn look() -> Option<Self> {
        Self::read(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// Fields are counted from behind the command's name, which may itself hold spaces and parentheses.
    fn read(text: &str) -> Option<Self> {
        let after_name: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        // proc_pid_stat(5) counts from 1, and the field behind the name is its third.
        let field = |n: usize| after_name.get(n - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) / TICKS_PER_SECOND,
            threads: field(20)?,
            started_seconds: field(22)? / TICKS_PER_SECOND,
        })
    }
}

/// When the machine booted, in seconds since 1970.
fn booted_at() -> Option<f64> {
    value_of(&fs::read_to_string("/proc/stat").ok()?, "btime ")
}

fn most_files() -> Option<f64> {
    value_of(&fs::read_to_string("/proc/self/limits").ok()?, "Max open files ")
}

fn resident_bytes() -> Option<f64> {
    Some(value_of(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")? * 1_024.0)
}

/// The first number behind `key` at a line's beginning.
fn value_of(text: &str, key: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_parentheses_does_not_shift_the_fields() {
        let text = "4242 (odd) name) S 1 4242 4242 0 -1 4194560 900 0 3 0 150 50 0 0 20 0 5 0 123456 1000 200 18446744073709551615 1";
        assert_eq!(Stat::read(text), Some(Stat { cpu_seconds: 2.0, threads: 5.0, started_seconds: 1_234.56 }));
        assert_eq!(Stat::read("4242 (short) S 1"), None);
    }

    #[test]
    fn values_are_found_behind_their_keys() {
        assert_eq!(value_of("Name: x\nVmRSS:\t    2048 kB\n", "VmRSS:"), Some(2_048.0));
        assert_eq!(
            value_of("Max open files            1024                 4096                 files", "Max open files "),
            Some(1_024.0)
        );
        assert_eq!(value_of("nothing", "VmRSS:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_seen() {
        let registry = Registry::new();
        let metrics = ProcessMetrics::register(&registry);
        metrics.look();
        let seen = metrics.of_system.expect("Linux has /proc");
        assert!(seen.resident.get() > 100_000.0 && seen.open_fds.get() >= 3.0 && seen.threads.get() >= 1.0);
    }
}
