//! Live mappings from the cluster and from files, with a real API server: creation, change, and deletion, and the
//! mappings after failures and mistakes.

mod broken;
mod commands;
mod config_map;
mod disturbances;
mod files;
mod fixture;
mod life;
mod objects;
mod people;
mod replica;
mod revocation;

use std::time::Instant;

use serde_json::json;

use crate::fixture::ClusterFixture;
use crate::people::Person;

type Step = fn(&mut ClusterFixture);

#[test]
fn mapping_edits_report_their_result_to_their_author() {
    let protected = Person(0);
    let mut fixture = ClusterFixture::start(
        1,
        &json!({
            "backendMode": ["CRD", "ACKConfigMap", "MountedFile"],
            "mapUsers": [protected.entry("break-glass")],
            "protect": [protected.arn()],
        }),
    );
    let steps: [(&str, Step); 9] = [
        (
            "objects are created, changed, and deleted",
            life::created_changed_and_deleted_objects_take_effect,
        ),
        ("conflicts", life::older_of_two_conflicting_objects_answers),
        ("protection", |fixture| {
            life::objects_do_not_override_protected_identity(fixture, Person(0))
        }),
        ("commands", commands::add_and_remove_change_mappings),
        ("the schema", objects::schema_rejects_invalid_objects),
        ("the ConfigMap", config_map::broken_edits_keep_all_mappings),
        (
            "objects without a schema",
            objects::broken_edits_keep_last_good_form,
        ),
        ("Go's definition", objects::objects_work_under_go_definition),
        ("one session", objects::session_object_works_until_edited),
    ];
    for (name, step) in steps {
        let start = Instant::now();
        step(&mut fixture);
        eprintln!("{name}: {:?}", start.elapsed());
    }
}
