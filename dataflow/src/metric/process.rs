//! What the operating system says of this process, under the names that every Prometheus dashboard knows. Linux' `/proc`;
//! elsewhere nothing is said.

use std::fs;

use super::{CPU_SECONDS, MAX_FDS, OPEN_FDS, Page, RESIDENT_BYTES, START_TIME, THREADS};

/// Ticks a second in `/proc`: the same on every Linux, whatever its kernel counts in.
const TICKS: f64 = 100.0;

/// What this process takes of its machine; 0 where the machine does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Memory that is really there.
    pub resident_bytes: u64,
    /// Threads.
    pub threads: u32,
    /// What all of them have spent on processors, in microseconds.
    pub cpu_us: u64,
}

impl Usage {
    /// As it is now.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts that are far below 2^53"
    )]
    pub fn now() -> Self {
        let status = read("status");
        let number = |name: &str| field(&status, name).unwrap_or_default();
        let cpu = times(&read("stat"), "btime 0").map_or(0.0, |(cpu, _)| cpu);
        Self {
            resident_bytes: number("VmRSS:") as u64 * 1024,
            threads: number("Threads:") as u32,
            cpu_us: (cpu * 1e6) as u64,
        }
    }
}

fn read(file: &str) -> String {
    fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default()
}

/// Adds all of it.
pub fn measure(page: &mut Page) {
    let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
    if let Some((cpu, start)) = times(&read("stat"), &boot) {
        page.number(CPU_SECONDS, &[], cpu);
        page.number(START_TIME, &[], start);
    }
    let status = read("status");
    if let Some(kib) = field(&status, "VmRSS:") {
        page.number(RESIDENT_BYTES, &[], kib * 1024.0);
    }
    if let Some(threads) = field(&status, "Threads:") {
        page.number(THREADS, &[], threads);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The folder itself is open while it is read.
        page.count(OPEN_FDS, &[], (open.count() as u64).saturating_sub(1));
    }
    if let Some(most) = field(&read("limits"), "Max open files") {
        page.number(MAX_FDS, &[], most);
    }
}

/// Seconds on processors, and when it began, in seconds since 1970: proc(5), fields 14, 15 and 22 of `stat`.
fn times(stat: &str, boot: &str) -> Option<(f64, f64)> {
    // Behind the name, which may hold anything, stands the third field.
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    let began = field(boot, "btime")? + ticks(22)? / TICKS;
    Some(((ticks(14)? + ticks(15)?) / TICKS, began))
}

/// The number behind a word at the beginning of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_a_thread_and_spends_time() {
        let before = Usage::now();
        assert!(before.resident_bytes > 0 && before.threads > 0);
        while Usage::now().cpu_us == before.cpu_us {
            std::hint::black_box((0..10_000_u64).sum::<u64>());
        }
    }

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 1000 1 1";
        assert_eq!(times(stat, "cpu 1\nbtime 1000000\n"), Some((3.0, 1_000_010.0)));
        assert_eq!(times("", ""), None);
    }
}
