//! Strict JSON: other parsers read every accepted document in the same way.

use ack_ram_core::review::{ReviewError, TokenReview};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use crate::{CASES, cases};

/// The deepest nesting that is accepted, and the maximum number of members of an object.
const MAX_DEPTH: usize = 16;
const MAX_MEMBERS: usize = 64;

proptest! {
    #![proptest_config(cases(4 * CASES))]

    #[test]
    fn document_parses_unless_duplicate_key_or_over_limit(tree in Tree::any()) {
        let body = review_around(&tree);
        let is_good = tree.is_strict() && tree.depth() < MAX_DEPTH;
        match TokenReview::parse(body.as_bytes()) {
            Ok(review) => {
                prop_assert!(is_good);
                let read: Value = serde_json::from_str(&body).unwrap();
                prop_assert_eq!(&read["spec"]["token"], review.token().expose());
            }
            Err(ReviewError::Json(_)) => prop_assert!(!is_good, "refused"),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
    }

    #[test]
    fn damaged_document_equals_serde_json_or_fails(
        tree in Tree::any(),
        at in any::<Index>(),
        new in prop_oneof![any::<u8>(), proptest::sample::select(&b"{}[]:,\"\\ \0"[..])],
    ) {
        let mut body = review_around(&tree).into_bytes();
        let at = at.index(body.len());
        body[at] = new;
        if let Ok(review) = TokenReview::parse(&body) {
            let read: Value = serde_json::from_slice(&body).unwrap();
            prop_assert_eq!(&read["kind"], "TokenReview");
            prop_assert_eq!(&read["spec"]["token"], review.token().expose());
        }
    }
}

#[test]
fn documented_limits_are_exact() {
    for (tree, accepted) in [
        (nested(MAX_DEPTH - 1), true),
        (nested(MAX_DEPTH), false),
        (wide(MAX_MEMBERS), true),
        (wide(MAX_MEMBERS + 1), false),
    ] {
        let parsed = TokenReview::parse(review_around(&tree).as_bytes());
        assert_eq!(parsed.is_ok(), accepted, "{parsed:?}");
    }
}

fn nested(depth: usize) -> Tree {
    (0..depth).fold(Tree::Leaf("1"), |inner, _| Tree::Array(vec![inner]))
}

fn wide(members: usize) -> Tree {
    let names = (0..members).map(|index| (format!("k{index}"), Tree::Leaf("null")));
    Tree::Object(names.collect())
}

fn review_around(tree: &Tree) -> String {
    let mut body = r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","#.to_owned();
    body.push_str(r#""spec":{"token":"t"},"status":"#);
    tree.write(&mut body);
    body.push('}');
    body
}

/// A JSON document with known irregularities. Names may repeat.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(&'static str),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Tree {
    fn any() -> impl Strategy<Value = Self> {
        let leaf =
            proptest::sample::select(vec!["null", "true", "1", "-0.5e-3", "\"a\"", "\"\\u00e9\""]);
        leaf.prop_map(Self::Leaf)
            .prop_recursive(20, 64, 6, |inner| {
                let name = prop_oneof![4 => "[a-z]{1,8}", 1 => "[aAbB]", 1 => "[ſsKk\u{212a}]"];
                prop_oneof![
                    prop::collection::vec(inner.clone(), 0..6).prop_map(Self::Array),
                    prop::collection::vec((name, inner), 0..6).prop_map(Self::Object),
                ]
            })
    }

    /// Returns whether no object has two names that are equal except for ASCII case.
    fn is_strict(&self) -> bool {
        match self {
            Self::Leaf(_) => true,
            Self::Array(items) => items.iter().all(Self::is_strict),
            Self::Object(members) => {
                let mut names: Vec<String> = members
                    .iter()
                    .map(|(name, _)| name.to_ascii_lowercase())
                    .collect();
                names.sort();
                names.windows(2).all(|pair| pair[0] != pair[1])
                    && members.iter().all(|(_, value)| value.is_strict())
            }
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Leaf(_) => 0,
            Self::Array(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(members) => {
                1 + members
                    .iter()
                    .map(|(_, value)| value.depth())
                    .max()
                    .unwrap_or(0)
            }
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Leaf(text) => out.push_str(text),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    out.push_str(&Value::from(name.as_str()).to_string());
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}
