//! The ranges of values in a JSON text that has already been parsed, and is therefore complete and not deeply nested.

use std::ops::Range;

/// A value that is not an object, with its name.
pub(super) struct JsonMember {
    /// The name of the enclosing object. Empty at the top level and for values that are nested more deeply.
    pub(super) parent: String,
    pub(super) name: String,
    /// The range of the value in the text, without quotes.
    pub(super) value: Range<usize>,
}

impl JsonMember {
    /// Returns whether this is the member `name` of the object `parent`. The name is compared case-insensitively.
    pub(super) fn matches(&self, parent: &str, name: &str) -> bool {
        self.parent == parent && self.name.eq_ignore_ascii_case(name)
    }
}

/// Returns all values of `text`, in order.
pub(super) fn list_members(text: &str) -> Vec<JsonMember> {
    let mut walk = JsonScanner {
        text,
        at: 0,
        found: Vec::new(),
    };
    walk.value(&[]);
    walk.found
}

struct JsonScanner<'a> {
    text: &'a str,
    at: usize,
    found: Vec<JsonMember>,
}

impl JsonScanner<'_> {
    fn value(&mut self, path: &[String]) {
        match self.next() {
            Some('{') => self.object(path),
            Some('[') => self.array(path),
            Some('"') => {
                let value = self.string();
                self.push_member(path, value);
            }
            Some(_) => {
                let start = self.at;
                let is_end = |character: char| ",]}".contains(character) || is_space(character);
                let rest = self.rest();
                self.at += rest.find(is_end).unwrap_or(rest.len());
                self.push_member(path, start..self.at);
            }
            None => {}
        }
    }

    fn object(&mut self, path: &[String]) {
        self.at += 1;
        while self.next() == Some('"') {
            let name = self.string();
            let raw = self.text.get(name).unwrap_or_default();
            let name = serde_json::from_str(&format!("\"{raw}\"")).unwrap_or_default();
            if self.next() == Some(':') {
                self.at += 1;
            }
            self.value(&[path, &[name]].concat());
            if self.next() == Some(',') {
                self.at += 1;
            }
        }
        self.at += 1;
    }

    fn array(&mut self, path: &[String]) {
        self.at += 1;
        while self.next().is_some_and(|character| character != ']') {
            self.value(&[path, &[String::new()]].concat());
            if self.next() == Some(',') {
                self.at += 1;
            }
        }
        self.at += 1;
    }

    /// Consumes the string that starts here, and returns its range without quotes.
    fn string(&mut self) -> Range<usize> {
        self.at += 1;
        let start = self.at;
        let mut is_escaped = false;
        let end = self.rest().find(|character| {
            let ends = character == '"' && !is_escaped;
            is_escaped = character == '\\' && !is_escaped;
            ends
        });
        let end = start + end.unwrap_or(self.rest().len());
        self.at = end + 1;
        start..end
    }

    /// Skips white space, and returns the next character without consuming it.
    fn next(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(is_space).len();
        self.rest().chars().next()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push_member(&mut self, path: &[String], value: Range<usize>) {
        let (parent, name) = match path {
            [name] => (String::new(), name.clone()),
            [parent, name] => (parent.clone(), name.clone()),
            _ => (String::new(), String::new()),
        };
        self.found.push(JsonMember {
            parent,
            name,
            value,
        });
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_parent_name_and_range() {
        let text =
            r#" {"a":"x\"y", "b" : {"c\u0064":1.5,"e":{"f":null}},"g":["h",true,{}],"":"é"} "#;
        let found: Vec<(String, String, &str)> = list_members(text)
            .into_iter()
            .map(|member| (member.parent, member.name, text.get(member.value).unwrap()))
            .collect();
        let expected = [
            ("", "a", r#"x\"y"#),
            ("b", "cd", "1.5"),
            ("", "", "null"),
            ("g", "", "h"),
            ("g", "", "true"),
            ("", "", "é"),
        ]
        .map(|(parent, name, value)| (parent.to_owned(), name.to_owned(), value));
        assert_eq!(found, expected);
    }
}
