//! A strict parser of the Prometheus text format 0.0.4 (Prometheus documentation, Exposition formats). It also refuses
//! errors that a lenient scraper accepts.

use std::collections::{BTreeMap, BTreeSet};

/// The metrics of one scrape.
#[derive(Debug)]
pub struct Exposition {
    /// The metrics, by name.
    pub families: BTreeMap<String, Family>,
}

/// A metric with all its series.
#[derive(Debug)]
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// The help text.
    pub help: String,
    /// The series, in their order.
    pub samples: Vec<Sample>,
}

/// A line with a value.
#[derive(Debug)]
pub struct Sample {
    /// The name of the metric. In a histogram, `_bucket`, `_sum` or `_count` follows it.
    pub name: String,
    /// The labels: names and values.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Exposition {
    /// Parses `text`.
    ///
    /// # Errors
    /// If `text` is malformed. The error contains the reason and the place.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text
            .strip_suffix('\n')
            .ok_or("the last line has no line feed")?;
        let mut lines = text.split('\n').peekable();
        let mut families = BTreeMap::new();
        while let Some(line) = lines.next() {
            let (name, help) = comment(line, "HELP").ok_or(format!("no `# HELP`: {line}"))?;
            let line = lines.next().unwrap_or_default();
            let (typed, kind) = comment(line, "TYPE").ok_or(format!("no `# TYPE`: {line}"))?;
            if typed != name {
                return Err(format!("`# TYPE` of {typed} after `# HELP` of {name}"));
            }
            let mut samples = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                let sample = Sample::parse(line).ok_or(format!("not a sample: {line}"))?;
                samples.push(sample);
            }
            let family = Family {
                kind: kind.to_owned(),
                help: help.to_owned(),
                samples,
            };
            family.check(name)?;
            if families.insert(name.to_owned(), family).is_some() {
                return Err(format!("duplicate metric {name}"));
            }
        }
        Ok(Self { families })
    }

    /// Returns the value of the series `name` with exactly `labels`; `None` if there is no such series.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels: BTreeMap<String, String> = labels
            .iter()
            .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
            .collect();
        let samples = self.families.values().flat_map(|family| &family.samples);
        samples
            .into_iter()
            .find(|sample| sample.name == name && sample.labels == labels)
            .map(|sample| sample.value)
    }
}

impl Family {
    /// Returns the names of the labels, without the `le` label of buckets.
    #[must_use]
    pub fn labels(&self) -> BTreeSet<&str> {
        let labels = self.samples.iter().flat_map(|sample| sample.labels.keys());
        labels
            .map(String::as_str)
            .filter(|label| self.kind != "histogram" || *label != "le")
            .collect()
    }

    fn check(&self, name: &str) -> Result<(), String> {
        if !is_name(name) || self.help.is_empty() || self.samples.is_empty() {
            return Err(format!("{name} has no proper name, help or sample"));
        }
        let mut known_series = BTreeSet::new();
        for sample in &self.samples {
            let series = (&sample.name, &sample.labels);
            if !known_series.insert(series) {
                return Err(format!("duplicate series {series:?}"));
            }
            if sample.value.is_nan() || (self.kind != "gauge" && sample.value < 0.0) {
                return Err(format!("{series:?} is {}", sample.value));
            }
            if self.kind != "histogram" && sample.name != name {
                return Err(format!("{} among the samples of {name}", sample.name));
            }
        }
        match &*self.kind {
            "counter" if name.ends_with("_total") => Ok(()),
            "counter" => Err(format!("the counter {name} does not end in _total")),
            "gauge" => Ok(()),
            "histogram" => self.check_histogram(name),
            kind => Err(format!("{name} is a {kind}")),
        }
    }

    /// Checks that each set of labels has buckets in ascending order up to `+Inf`, then the sum, then the count, which
    /// equals that of the `+Inf` bucket.
    fn check_histogram(&self, name: &str) -> Result<(), String> {
        let mut samples = self.samples.iter().peekable();
        while let Some(first) = samples.peek() {
            let mut own = first.labels.clone();
            own.remove("le");
            let malformed = || format!("malformed histogram {name}{own:?}");
            let mut last = (f64::NEG_INFINITY, 0.0);
            while let Some(bucket) =
                samples.next_if(|sample| sample.name == format!("{name}_bucket"))
            {
                let mut labels = bucket.labels.clone();
                let bound = labels.remove("le").ok_or_else(malformed)?;
                let bound = number(&bound).ok_or_else(malformed)?;
                if labels != own || bound <= last.0 || bucket.value < last.1 {
                    return Err(malformed());
                }
                last = (bound, bucket.value);
            }
            let sum = samples.next().ok_or_else(malformed)?;
            let count = samples.next().ok_or_else(malformed)?;
            let is_whole = last == (f64::INFINITY, count.value)
                && sum.name == format!("{name}_sum")
                && count.name == format!("{name}_count")
                && sum.labels == own
                && count.labels == own;
            if !is_whole {
                return Err(malformed());
            }
        }
        Ok(())
    }
}

impl Sample {
    fn parse(line: &str) -> Option<Self> {
        let end = line.find(['{', ' '])?;
        let (name, mut rest) = line.split_at(end);
        let mut labels = BTreeMap::new();
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner;
            loop {
                let (label, after) = rest.split_once("=\"")?;
                let (value, after) = quoted(after)?;
                let is_new = labels.insert(label.to_owned(), value).is_none();
                if !is_name(label) || label.contains(':') || !is_new {
                    return None;
                }
                if let Some(after) = after.strip_prefix('}') {
                    rest = after;
                    break;
                }
                rest = after.strip_prefix(',')?;
            }
        }
        Some(Self {
            name: is_name(name).then(|| name.to_owned())?,
            labels,
            value: number(rest.strip_prefix(' ')?)?,
        })
    }
}

/// Returns the name and the text of a comment.
fn comment<'a>(line: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let rest = line.strip_prefix("# ")?.strip_prefix(keyword)?;
    rest.strip_prefix(' ')?.split_once(' ')
}

/// Returns the value up to the closing quote, and the rest of the text.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    loop {
        match characters.next()? {
            (end, '"') => return Some((value, text.get(end + 1..)?)),
            (_, '\\') => value.push(match characters.next()?.1 {
                'n' => '\n',
                escaped @ ('"' | '\\') => escaped,
                _ => return None,
            }),
            (_, character) => value.push(character),
        }
    }
}

fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    let is_first = |byte: &u8| !byte.is_ascii_digit();
    text.bytes().all(is_allowed) && text.as_bytes().first().is_some_and(is_first)
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        // Rust would also accept `inf` and `infinity`.
        _ if text
            .bytes()
            .any(|byte| byte.is_ascii_alphabetic() && byte != b'e') =>
        {
            None
        }
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_exposition_is_refused() {
        let gauge = "# HELP g A gauge.\n# TYPE g gauge\n";
        let histogram = "# HELP h A.\n# TYPE h histogram\n";
        for (name, text, is_good) in [
            ("a gauge", format!("{gauge}g 1\n"), true),
            (
                "labels",
                format!("{gauge}g{{a=\"\\\"}}\",b=\"\"}} -1.5e-3\n"),
                true,
            ),
            ("no last line feed", format!("{gauge}g 1"), false),
            ("an empty line", format!("{gauge}\ng 1\n"), false),
            ("no samples", gauge.to_owned(), false),
            ("no comments", "g 1\n".to_owned(), false),
            ("OpenMetrics' end", format!("{gauge}g 1\n# EOF\n"), false),
            (
                "OpenMetrics' counter",
                "# HELP c A.\n# TYPE c counter\nc_total 1\n".to_owned(),
                false,
            ),
            ("a sample of another metric", format!("{gauge}f 1\n"), false),
            ("a series twice", format!("{gauge}g 1\ng 1\n"), false),
            ("a metric twice", format!("{gauge}g 1\n{gauge}g 1\n"), false),
            (
                "a label twice",
                format!("{gauge}g{{a=\"\",a=\"\"}} 1\n"),
                false,
            ),
            ("an open quote", format!("{gauge}g{{a=\"}} 1\n"), false),
            ("no value", format!("{gauge}g\n"), false),
            ("Rust's infinity", format!("{gauge}g inf\n"), false),
            (
                "a histogram",
                format!(
                    "{histogram}h_bucket{{le=\"1\"}} 1\nh_bucket{{le=\"+Inf\"}} 2\nh_sum 3\nh_count 2\n"
                ),
                true,
            ),
            (
                "no +Inf",
                format!("{histogram}h_bucket{{le=\"1\"}} 1\nh_sum 1\nh_count 1\n"),
                false,
            ),
            (
                "a count that is not that of +Inf",
                format!("{histogram}h_bucket{{le=\"+Inf\"}} 1\nh_sum 1\nh_count 2\n"),
                false,
            ),
            (
                "buckets that shrink",
                format!(
                    "{histogram}h_bucket{{le=\"1\"}} 2\nh_bucket{{le=\"+Inf\"}} 1\nh_sum 3\nh_count 1\n"
                ),
                false,
            ),
        ] {
            let parsed = Exposition::parse(&text);
            assert_eq!(parsed.is_ok(), is_good, "{name}: {parsed:?}");
        }
    }
}
