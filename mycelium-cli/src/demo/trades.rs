//! Recorded trades, read from CSV.

use std::fmt;

/// Decimals of prices and sizes that are kept, exactly: they are counted in units of 0.00000001.
const DECIMALS: usize = 8;

/// One trade of the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trade {
    /// Milliseconds since 1970.
    pub(crate) time_ms: i64,
    /// In units; positive.
    pub(crate) price: i64,
    /// In units; positive when the buyer took, negative when the seller did.
    pub(crate) size: i64,
}

/// Why a recording cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Empty,
    /// A line, counted from 1, and what is wrong with it.
    Line(usize, String),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "it holds no trade; expected are lines of `timestamp in ms,price,signed size`",
            ),
            Self::Line(number, why) => write!(f, "line {number}: {why}"),
        }
    }
}

/// Reads trades, one a line as `timestamp in ms,price,signed size`, after an optional line of
/// headings. Timestamps may not run backwards.
///
/// # Errors
/// The first line that is not so, or the absence of lines.
pub(crate) fn parse(text: &[u8]) -> Result<Vec<Trade>, Wrong> {
    let mut trades: Vec<Trade> = Vec::with_capacity(text.len() / 24);
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || (index == 0 && line.starts_with(b"timestamp")) {
            continue;
        }
        let trade = trade(line).map_err(|why| Wrong::Line(index + 1, why))?;
        if trades.last().is_some_and(|last| last.time_ms > trade.time_ms) {
            let why = format!("the time {} is before that of the trade above", trade.time_ms);
            return Err(Wrong::Line(index + 1, why));
        }
        trades.push(trade);
    }
    if trades.is_empty() { Err(Wrong::Empty) } else { Ok(trades) }
}

fn trade(line: &[u8]) -> Result<Trade, String> {
    let line = std::str::from_utf8(line).map_err(|_| "it is not text".to_owned())?;
    let mut columns = line.split(',').map(str::trim);
    let (Some(time), Some(price), Some(size), None) =
        (columns.next(), columns.next(), columns.next(), columns.next())
    else {
        let found = line.split(',').count();
        return Err(format!("expected are 3 columns (timestamp, price, size), found {found}"));
    };
    let time_ms = time
        .parse()
        .map_err(|_| format!("the timestamp {time:?} is not a whole number of milliseconds"))?;
    let price = decimal(price)
        .filter(|price| *price > 0)
        .ok_or_else(|| format!("the price {price:?} is not a positive number"))?;
    let size = decimal(size)
        .filter(|size| *size != 0)
        .ok_or_else(|| format!("the size {size:?} is not a number other than 0"))?;
    Ok(Trade { time_ms, price, size })
}

/// A decimal number in units; further decimals are cut off. `None` when it is none, or too large.
fn decimal(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (mut value, mut decimals, mut point, mut any) = (0_i64, 0, false, false);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                any = true;
                if point {
                    decimals += 1;
                    if decimals > DECIMALS {
                        continue;
                    }
                }
                value = value.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    for _ in decimals.min(DECIMALS)..DECIMALS {
        value = value.checked_mul(10)?;
    }
    any.then_some(if negative { -value } else { value })
}

/// The stretch of at most `milliseconds` with trades at most moments, as indices. Trades of one
/// moment count once: one order that sweeps the book is no busy market.
pub(crate) fn busiest(trades: &[Trade], milliseconds: i64) -> std::ops::Range<usize> {
    let opens = |index: usize| index == 0 || trades[index - 1].time_ms != trades[index].time_ms;
    let (mut first, mut moments, mut most) = (0, 0, 0);
    let mut best = 0..0;
    for (last, trade) in trades.iter().enumerate() {
        moments += usize::from(opens(last));
        while trade.time_ms - trades[first].time_ms > milliseconds {
            first += 1;
            moments -= usize::from(opens(first));
        }
        // The first of such stretches, and with all trades of its last moment.
        if moments > most || (moments == most && first == best.start) {
            (most, best) = (moments, first..last + 1);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Units in one.
    const UNIT: i64 = 100_000_000;

    fn line_of(text: &str) -> Result<Vec<Trade>, Wrong> {
        parse(text.as_bytes())
    }

    #[test]
    fn trades_are_read_exactly() {
        let trades = line_of("timestamp,price,size\n1,13873,10\r\n2,0.5,-0.00289\n\n").unwrap();
        assert_eq!(
            trades,
            [
                Trade { time_ms: 1, price: 13873 * UNIT, size: 10 * UNIT },
                Trade { time_ms: 2, price: UNIT / 2, size: -289_000 },
            ]
        );
    }

    #[test]
    fn the_line_of_headings_is_optional_and_stands_first() {
        assert_eq!(line_of("5,1,1").unwrap().len(), 1);
        assert!(matches!(line_of("5,1,1\ntimestamp,price,size"), Err(Wrong::Line(2, _))));
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        for (bad, what) in [
            ("1,2", "3 columns"),
            ("1,2,3,4", "found 4"),
            ("now,2,3", "timestamp"),
            ("1.5,2,3", "timestamp"),
            ("1,-2,3", "price"),
            ("1,0,3", "price"),
            ("1,.,3", "price"),
            ("1,1e5,3", "price"),
            ("1,99999999999999,3", "price"),
            ("1,2,0", "size"),
            ("1,2,--3", "size"),
            ("0,2,3", "before"),
        ] {
            let error = line_of(&format!("timestamp,price,size\n1,2,3\n{bad}\n")).unwrap_err();
            let words = error.to_string();
            assert!(words.starts_with("line 3: ") && words.contains(what), "{bad}: {words}");
        }
        let error = parse(b"1,2,3\n1,\xff,3").unwrap_err();
        assert_eq!(error.to_string(), "line 2: it is not text");
    }

    #[test]
    fn an_empty_recording_says_what_is_expected() {
        for empty in ["", "\n\n", "timestamp,price,size\n"] {
            assert_eq!(line_of(empty), Err(Wrong::Empty));
        }
    }

    #[test]
    fn decimals_beyond_the_eighth_are_cut_off() {
        assert_eq!(decimal("1.123456789"), Some(112_345_678));
        assert_eq!(decimal("-.5"), Some(-UNIT / 2));
        assert_eq!(decimal(""), None);
    }

    #[test]
    fn trades_of_one_moment_are_one() {
        let trades: Vec<Trade> = [1, 1, 1, 1, 1, 50, 51, 52, 52]
            .map(|time_ms| Trade { time_ms, price: 1, size: 1 })
            .into();
        assert_eq!(busiest(&trades, 10), 5..9);
        assert_eq!(busiest(&trades, 0), 0..5);
    }

    #[test]
    fn the_busiest_stretch_is_found() {
        let trades: Vec<Trade> = [0, 100, 101, 102, 110, 111, 300]
            .map(|time_ms| Trade { time_ms, price: 1, size: 1 })
            .into();
        assert_eq!(busiest(&trades, 10), 1..5);
        assert_eq!(busiest(&trades, 9), 1..4);
        assert_eq!(busiest(&trades, 0), 0..1);
        assert_eq!(busiest(&trades, 1000), 0..7);
        assert_eq!(busiest(&[], 10), 0..0);
    }
}
