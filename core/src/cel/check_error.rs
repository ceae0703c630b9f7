//! The errors of the checker: the reason why a part of a tree is refused, and the position of that part in the
//! source.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, operators};
use strsim::damerau_levenshtein;

use super::error::{Reason, SymbolKind};
use super::parse::offset_of_node;

/// The reason why a part of a tree is refused.
pub(super) struct CheckError<'t> {
    pub(super) at: Anchor<'t>,
    pub(super) reason: Reason,
}

/// The position of an error, relative to a node of the tree.
pub(super) enum Anchor<'t> {
    /// At the start of this node.
    Start(&'t IdedExpr),
    /// At this name, which follows the position of the node with this ID.
    After(u64, &'t str),
    /// At this name, which precedes the position of the node with this ID.
    Before(u64, &'t str),
}

impl Anchor<'_> {
    /// Returns the offset in bytes in `source`, the source of the tree.
    pub(super) fn offset(&self, source: &str) -> usize {
        let offset = |id| offset_of_node(source, id).unwrap_or(0);
        match *self {
            Self::Start(tree) => offset(leftmost(tree)),
            Self::After(id, name) => {
                let node = offset(id);
                let rest = source.get(node..).unwrap_or_default();
                node + rest.find(name).unwrap_or(0)
            }
            Self::Before(id, name) => {
                let node = offset(id);
                let head = source.get(..node).unwrap_or_default();
                head.rfind(name).unwrap_or(node)
            }
        }
    }
}

pub(super) fn refuse<T>(at: Anchor<'_>, reason: Reason) -> Result<T, CheckError<'_>> {
    Err(CheckError { at, reason })
}

/// Builds the reason for a `name` that is not among the `known` names.
pub(super) fn unknown_name<'a>(
    what: SymbolKind,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Reason {
    let known: Vec<Box<str>> = known.into_iter().map(Into::into).collect();
    let folded = name.to_ascii_lowercase();
    let distances = known.iter().map(|known| {
        let distance = damerau_levenshtein(&known.to_ascii_lowercase(), &folded);
        (distance, known)
    });
    let nearest = distances
        .min()
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .map(|(_, known)| known.clone());
    Reason::Unknown {
        what,
        name: name.into(),
        nearest,
        known,
    }
}

/// Returns the ID of the node at the start of `tree`. The position of many nodes is an operator in their middle.
fn leftmost(tree: &IdedExpr) -> u64 {
    match &tree.expr {
        Expr::Select(select) => leftmost(&select.operand),
        Expr::Comprehension(comprehension) => leftmost(&comprehension.iter_range),
        Expr::Call(CallExpr {
            func_name,
            target,
            args,
        }) => match (target, args.first()) {
            (Some(target), _) => leftmost(target),
            (None, Some(first)) if func_name.starts_with('_') || func_name == operators::IN => {
                leftmost(first)
            }
            (None, _) => tree.id,
        },
        _ => tree.id,
    }
}
