//! Objects as YAML, for diffs.

use std::fmt::Write as _;

use kube::Resource as _;
use serde_json::Value;

use crate::cli::mappings::yaml_list::scalar;
use crate::kubernetes::crd::mapping::RamIdentityMapping;

/// Renders the object `name` with `spec`.
pub(super) fn render(name: &str, spec: Option<&Value>) -> String {
    let mut text = format!(
        "apiVersion: {}\nkind: {}\nmetadata:\n  name: {}\n",
        RamIdentityMapping::api_version(&()),
        RamIdentityMapping::kind(&()),
        scalar(name)
    );
    if let Some(spec) = spec {
        text.push_str("spec:");
        render_value(&mut text, spec, 2);
    }
    text
}

/// Returns whether `text`, parsed as YAML, equals `object`.
pub(super) fn is_same(text: &str, object: &Value) -> bool {
    serde_saphyr::from_str::<Value>(text).is_ok_and(|read| read == *object)
}

/// Adds `value` after its key. Nested values are indented by `indent` spaces.
fn render_value(text: &mut String, value: &Value, indent: usize) {
    // Writing to a `String` never fails.
    let _ = match value {
        Value::Object(fields) if !fields.is_empty() => {
            text.push('\n');
            for (key, field) in fields {
                let _ = write!(text, "{:indent$}{}:", "", scalar(key));
                self::render_value(text, field, indent + 2);
            }
            Ok(())
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            for item in items {
                let _ = write!(text, "{:1$}-", "", indent - 2);
                self::render_value(text, item, indent + 2);
            }
            Ok(())
        }
        Value::String(string) => writeln!(text, " {}", scalar(string)),
        // JSON is YAML.
        other => writeln!(text, " {other}"),
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn object_renders_as_block_yaml() {
        let spec =
            json!({"arn": "", "groups": ["g", "no"], "match": "a == \"b\"", "x": {}, "k": 1});
        let expected = "\
apiVersion: ramauthenticator.k8s.alibabacloud/v1alpha1
kind: RAMIdentityMapping
metadata:
  name: x
spec:
  arn: \"\"
  groups:
  - g
  - \"no\"
  k: 1
  match: \"a == \\\"b\\\"\"
  x: {}
";
        assert_eq!(render("x", Some(&spec)), expected);
        let mut object = json!({
            "apiVersion": "ramauthenticator.k8s.alibabacloud/v1alpha1",
            "kind": "RAMIdentityMapping",
            "metadata": {"name": "x"},
            "spec": spec,
        });
        assert!(is_same(expected, &object));
        object["spec"]["groups"][1] = json!(false);
        assert!(!is_same(expected, &object));
    }
}
