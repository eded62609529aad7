//! What was probably meant.

/// How alike two words are that are mistaken for each other, from 0 to 1.
const ALIKE: f64 = 0.6;

/// The word that is most like `word`, as a question, if any is like it at all.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let likeness = |other: &str| strsim::normalized_damerau_levenshtein(word, other);
    known
        .into_iter()
        .map(|other| (likeness(other), other))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, other)| format!("did you mean \"{other}\"?"))
}
