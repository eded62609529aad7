//! Figures and names for people.

use std::time::Duration;

/// A number with a unit of thousands, in at most five characters: `950`, `12.3k`, `4.0M`.
pub(super) fn count(number: u64) -> String {
    match number < 1000 {
        true => number.to_string(),
        false => in_thousands(number, &["k", "M", "G", "T", "P"]),
    }
}

/// A number in the first of the units, each a thousand of the one before, that makes it short.
fn in_thousands(number: u64, units: &[&str]) -> String {
    let mut value = number as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    match value < 99.95 {
        true => format!("{value:.1}{}", units[unit]),
        false => format!("{value:.0}{}", units[unit]),
    }
}

/// Bytes, with a unit of 1024.
pub(super) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{number} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// A time in its two largest units at most.
pub(super) fn time(milliseconds: u64) -> String {
    let seconds = Duration::from_millis(milliseconds).as_secs();
    match seconds {
        0 => format!("{milliseconds}ms"),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// A time of so many nanoseconds, with three digits at most, in at most six characters: `950ns`,
/// `15.3µs`, `1.5ms`, `60.0s`. Beyond 999 seconds it is longer.
pub(super) fn short_time(nanoseconds: u64) -> String {
    match nanoseconds < 1000 {
        true => format!("{nanoseconds}ns"),
        false => in_thousands(nanoseconds, &["µs", "ms", "s"]),
    }
}

/// A type without the modules that it, and its parameters, are in.
pub(super) fn type_name(full: &str) -> String {
    let mut short = String::new();
    let mut word = String::new();
    for c in full.chars() {
        match c {
            ':' => word.clear(),
            c if c.is_alphanumeric() || c == '_' => word.push(c),
            c => {
                short.push_str(&std::mem::take(&mut word));
                short.push(c);
            }
        }
    }
    short + &word
}

/// A text without what would move the cursor, or change the terminal: names are the application's,
/// and those of peers are theirs.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let counts = [(0, "0"), (999, "999"), (1000, "1.0k"), (12_345, "12.3k"), (99_960, "100k")];
        for (number, text) in counts {
            assert_eq!(count(number), text);
        }
        assert_eq!(count(999_600), "1.0M");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024 * 1024), "1.0 MiB");
        assert_eq!(
            (time(40), time(61_000), time(90_061_000)),
            ("40ms".into(), "1m01s".into(), "1d01h".into())
        );
        let times = [
            (950, "950ns"),
            (15_340, "15.3µs"),
            (999_600, "1.0ms"),
            (123_456_789, "123ms"),
            (60_000_000_000, "60.0s"),
        ];
        for (nanoseconds, text) in times {
            assert_eq!(short_time(nanoseconds), text);
        }
    }

    #[test]
    fn types_lose_their_modules() {
        assert_eq!(type_name("app::book::Book"), "Book");
        assert_eq!(type_name("a::B<c::d::E, &f::G>"), "B<E, &G>");
        assert_eq!(plain("a\u{1b}[2Jb\n"), "a?[2Jb?");
    }
}
