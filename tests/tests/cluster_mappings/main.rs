//! Mappings from the cluster and from files, live, with a real API server: how they come, change and go, and what
//! becomes of them when something or somebody goes wrong.

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
            "objects come, change and go",
            life::objects_come_change_and_go,
        ),
        ("conflicts", life::of_two_the_older_answers),
        ("protection", |fixture| {
            life::no_object_takes_whom_the_file_protects(fixture, Person(0))
        }),
        ("commands", commands::change_what_the_cluster_has),
        ("the schema", objects::the_schema_refuses),
        ("the ConfigMap", config_map::broken_edits_take_nothing_away),
        (
            "objects without a schema",
            objects::broken_edits_keep_what_both_texts_give,
        ),
        ("Go's definition", objects::work_under_the_definition_of_go),
        ("one session", objects::one_session_maps_nobody_anew),
    ];
    for (name, step) in steps {
        let start = Instant::now();
        step(&mut fixture);
        eprintln!("{name}: {:?}", start.elapsed());
    }
}
