//! The page in the older text format of Prometheus, for those who do not ask for OpenMetrics.
//!
//! It differs in what the head of a family names: the samples, and not the family, so that the
//! names of counters end with `_total` there too. It has no units, no type `info` and no end.

use std::fmt::Write;

/// The content type of the format.
pub(super) const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page of OpenMetrics, in the older format.
pub(super) fn page(open: &str) -> String {
    let mut classic = String::with_capacity(open.len());
    let mut help = "";
    for line in open.lines() {
        if let Some(text) = line.strip_prefix("# HELP ") {
            // Its name is known with its type, in the next line.
            help = text.split_once(' ').map_or("", |(_, text)| text);
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|it| it.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                _ => ("", kind),
            };
            _ = write!(classic, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n");
        } else if !line.starts_with('#') {
            classic.push_str(line);
            classic.push('\n');
        }
    }
    classic
}

#[cfg(test)]
mod tests {
    #[test]
    fn heads_name_the_samples() {
        let open = "# HELP a Of a\n# TYPE a counter\na_total{x=\"1\"} 2\n# HELP b_bytes Of b\n\
                    # TYPE b_bytes gauge\n# UNIT b_bytes bytes\nb_bytes 3\n# HELP c Of c\n\
                    # TYPE c info\nc_info{y=\"z\"} 1\n# EOF\n";
        let classic = "# HELP a_total Of a\n# TYPE a_total counter\na_total{x=\"1\"} 2\n\
                       # HELP b_bytes Of b\n# TYPE b_bytes gauge\nb_bytes 3\n\
                       # HELP c_info Of c\n# TYPE c_info gauge\nc_info{y=\"z\"} 1\n";
        assert_eq!(super::page(open), classic);
    }
}
