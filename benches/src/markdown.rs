//! Tables in Markdown that can be read as they are, too.

/// The lines, with columns of one width each. The first line is the head.
pub(crate) fn aligned(mut lines: Vec<Vec<String>>) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    lines.insert(1, widths.iter().map(|width| "-".repeat(*width)).collect());
    let mut table = String::new();
    for line in &lines {
        for (cell, width) in line.iter().zip(&widths) {
            table += &format!("| {cell:width$} ");
        }
        table += "|\n";
    }
    table
}

/// Three or four digits that matter, and no more.
pub(crate) fn number(number: f64) -> String {
    match number {
        n if n >= 100.0 => format!("{n:.0}"),
        n if n >= 10.0 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{aligned, number};

    #[test]
    fn all_lines_are_of_one_width() {
        let line = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let table = aligned(vec![line(["µs", "a"]), line(["1", "long"])]);
        assert_eq!(table, "| µs | a    |\n| -- | ---- |\n| 1  | long |\n");
    }

    #[test]
    fn digits_are_those_that_matter() {
        assert_eq!([1234.4, 56.78, 0.123].map(number), ["1234", "56.8", "0.12"]);
    }
}
