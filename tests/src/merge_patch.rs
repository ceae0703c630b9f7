//! JSON merge patches.

use serde_json::{Value, json};

/// Merges `patch` into `target` as a JSON merge patch (RFC 7386) does.
pub(crate) fn apply(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target
                .as_object_mut()
                .and_then(|members| members.remove(key));
        } else {
            apply(&mut target[key], value);
        }
    }
}
