//! What feed and readers send each other, and how a reader checks it. Compiled against stock and
//! against the fork.

/// Bytes of the shortest payload: the sequence number, and how often it is acknowledged.
pub(crate) const LEAST: usize = 16;

/// How many places of a payload are checked, apart from its beginning.
const PLACES: usize = 6;

/// Where the words that are checked lie in a payload of so many bytes, in units of 8 bytes.
fn places(length: usize) -> impl Iterator<Item = usize> {
    let words = length / 8;
    (0..PLACES)
        .map(move |place| 2 + place * words.saturating_sub(3) / PLACES.max(1))
        .filter(move |word| *word < words)
}

fn word(sequence: u64, place: usize) -> u64 {
    (sequence.wrapping_add(1) ^ (place as u64) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Writes the message with this number over the one before it.
pub(crate) fn write(payload: &mut [u8], sequence: u64, acknowledge_every: u64) {
    payload[..8].copy_from_slice(&sequence.to_le_bytes());
    payload[8..16].copy_from_slice(&acknowledge_every.to_le_bytes());
    for place in places(payload.len()) {
        payload[place * 8..][..8].copy_from_slice(&word(sequence, place).to_le_bytes());
    }
}

/// The words of a message that readers check: where each lies, in units of 8 bytes, and what it is.
#[allow(dead_code, reason = "stock has no memory that readers share")]
pub(crate) fn checked(message: &[u8]) -> impl Iterator<Item = (usize, u64)> {
    [0, 1].into_iter().chain(places(message.len())).map(|word| {
        let bytes = message[word * 8..][..8].try_into().expect("eight bytes");
        (word, u64::from_le_bytes(bytes))
    })
}

/// Writes these words of a message into `memory`, and no others.
#[allow(dead_code, reason = "stock has no memory that readers share")]
pub(crate) fn place(message: &[u8], memory: &mut [u8]) {
    for (word, value) in checked(message) {
        memory[word * 8..][..8].copy_from_slice(&value.to_le_bytes());
    }
}

/// What a reader saw so far of a run.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    next: u64,
    length: usize,
}

impl Checks {
    /// Checks a message; `true` when it is to be acknowledged. A run begins with number 0.
    ///
    /// # Errors
    /// What is wrong with it: number, length, or a word of those that are checked.
    pub(crate) fn see(&mut self, payload: &[u8]) -> Result<bool, String> {
        self.check(payload.len(), |word| {
            let bytes = payload.get(word * 8..word * 8 + 8);
            bytes.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
        })
    }

    /// The same, of a message whose words are read where they lie.
    ///
    /// # Errors
    /// As [`see`](Self::see).
    pub(crate) fn check(
        &mut self,
        length: usize,
        number: impl Fn(usize) -> u64,
    ) -> Result<bool, String> {
        let (sequence, every) = (number(0), number(1));
        if sequence == 0 {
            *self = Self { next: 0, length };
        }
        if (sequence, length) != (self.next, self.length) {
            return Err(format!(
                "message {sequence} of {length} bytes came, expected was {} of {}",
                self.next, self.length
            ));
        }
        for place in places(length) {
            if number(place) != word(sequence, place) {
                return Err(format!("message {sequence} is not as it was sent at word {place}"));
            }
        }
        self.next += 1;
        Ok(self.next % every.max(1) == 0)
    }
}
