//! What the bench can be asked for.

use std::path::PathBuf;
use std::str::FromStr;

/// A way to the readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Stock,
    Tcp,
    Unix,
    Ring,
    Arena,
    Placed,
    Iceoryx,
    Memory,
    PlacedMemory,
}

impl Contender {
    /// Those that this build has, in the order of their columns.
    pub(crate) fn all(has_iceoryx: bool) -> Vec<Self> {
        let all = [
            Self::Stock,
            Self::Tcp,
            Self::Unix,
            Self::Ring,
            Self::Arena,
            Self::Placed,
            Self::Iceoryx,
            Self::Memory,
            Self::PlacedMemory,
        ];
        all.into_iter().filter(|it| has_iceoryx || *it != Self::Iceoryx).collect()
    }

    /// The word for it.
    pub(crate) fn way(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Tcp => "tcp",
            Self::Unix => "unix",
            Self::Ring => "ring",
            Self::Arena => "arena",
            Self::Placed => "placed",
            Self::Iceoryx => "iceoryx",
            Self::Memory => "memory",
            Self::PlacedMemory => "placed-memory",
        }
    }

    /// The head of its column.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stock => "stock TCP",
            Self::Tcp => "fork TCP",
            Self::Unix => "fork Unix",
            Self::Ring => "fork ring",
            Self::Arena => "fork arena",
            Self::Placed => "arena, placed",
            Self::Iceoryx => "iceoryx2",
            Self::Memory => "bare memory",
            Self::PlacedMemory => "bare, placed",
        }
    }
}

/// The options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) rounds: usize,
    pub(crate) sizes: Vec<usize>,
    pub(crate) processes: Vec<usize>,
    pub(crate) readers: Vec<usize>,
    pub(crate) milliseconds: u64,
    /// Messages under way to each process, if the bench is not to choose.
    pub(crate) window: Option<u64>,
    pub(crate) contenders: Vec<Contender>,
    pub(crate) plot: Option<PathBuf>,
}

/// What `bare memory` has room for.
const MOST_PROCESSES: usize = 64;

impl Arguments {
    /// # Errors
    /// A sentence that names the word that is not understood.
    pub(crate) fn parse(
        words: impl IntoIterator<Item = String>,
        has_iceoryx: bool,
    ) -> Result<Self, String> {
        let mut arguments = Self {
            rounds: 3,
            sizes: vec![64, 4 << 10, 64 << 10, 1 << 20, 4 << 20],
            processes: vec![1, 4, 16],
            readers: vec![1, 8],
            milliseconds: 40,
            window: None,
            contenders: Contender::all(has_iceoryx),
            plot: None,
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            // Cargo says what it runs.
            if word == "--bench" {
                continue;
            }
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--rounds" => arguments.rounds = number(&value()?)?,
                "--sizes" => arguments.sizes = list(&value()?, size)?,
                "--processes" => arguments.processes = list(&value()?, number)?,
                "--readers" => arguments.readers = list(&value()?, number)?,
                "--window" => arguments.window = Some(number(&value()?)?),
                "--milliseconds" => arguments.milliseconds = number(&value()?)?,
                "--plot" => arguments.plot = Some(value()?.into()),
                "--contenders" => {
                    arguments.contenders = list(&value()?, |word| contender(word, has_iceoryx))?;
                }
                _ => return Err(format!("{word} is no option of this bench")),
            }
        }
        if let Some(many) = arguments.processes.iter().find(|it| **it > MOST_PROCESSES) {
            return Err(format!("{many} processes are more than {MOST_PROCESSES}"));
        }
        Ok(arguments)
    }
}

fn contender(word: &str, has_iceoryx: bool) -> Result<Contender, String> {
    let all = Contender::all(has_iceoryx);
    let words: Vec<&str> = all.iter().map(|it| it.way()).collect();
    all.iter()
        .find(|it| it.way() == word)
        .copied()
        .ok_or_else(|| format!("there is no contender {word}, but {}", words.join(", ")))
}

fn list<T>(words: &str, one: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    words.split(',').map(one).collect()
}

fn number<T: FromStr + PartialEq + Default>(word: &str) -> Result<T, String> {
    let number = word.parse().ok().filter(|number| *number != T::default());
    number.ok_or_else(|| format!("{word} is no number above 0"))
}

/// At least what a message needs for its number.
fn size(word: &str) -> Result<usize, String> {
    let (digits, shift) = match word.as_bytes().last() {
        Some(b'k') => (&word[..word.len() - 1], 10),
        Some(b'M') => (&word[..word.len() - 1], 20),
        _ => (word, 0),
    };
    let size: usize = number(digits)?;
    let size = size.checked_mul(1 << shift);
    size.filter(|size| (32..=8 << 20).contains(size) && size % 8 == 0)
        .ok_or_else(|| format!("{word} is no multiple of 8 between 32 and 8M"))
}
