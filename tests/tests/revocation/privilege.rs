//! Privileges of mapping authors: write access to mappings makes a cluster administrator, unless names are reserved.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::arn::Arn;
use ack_ram_core::identity::Identity;
use ack_ram_core::rules::{
    Backend, BackendRules, Mapping, Precedence, ReservedPrefixes, Rule, RuleSet, RulesError,
    RulesRefusal, Source,
};
use ack_ram_tests::sts::demo;

/// Returns the groups that a mapping of `backend` gives; `None` if `reserved` refuses a name.
fn groups(
    backend: Backend,
    reserved: &ReservedPrefixes,
    username: &str,
    group: &str,
) -> Option<Vec<String>> {
    let source = Source {
        backend,
        position: "mapping".to_owned(),
    };
    let mapping = Mapping::for_arn(
        source,
        Precedence::ListIndex(0),
        demo::USER_ARN,
        username,
        vec![group.to_owned()],
    );
    let mut rules = BackendRules::new(backend).with_reserved(reserved.clone());
    rules.apply(Rule::compile(mapping).unwrap());
    let identity = Identity {
        arn: Arn::parse(demo::USER_ARN).unwrap(),
        user_id: "200000000000000001".into(),
        access_key_id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap(),
    };
    match RuleSet::new(vec![rules], []).explain(&identity).1 {
        Ok(user) => Some(user.groups),
        Err(RulesError::Refused(RulesRefusal::Name(_))) => None,
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn author_of_a_mapping_is_cluster_admin_unless_names_are_reserved() {
    let nothing = ReservedPrefixes::default();
    let system = ReservedPrefixes {
        usernames: vec!["system:".into()],
        groups: vec!["system:".into()],
    };
    for backend in [Backend::Crd, Backend::ConfigMap] {
        for (username, group, is_reserved) in [
            ("eve", "system:masters", true),
            ("eve", " system:masters", true),
            ("eve", "system:nodes", true),
            ("system:kube-controller-manager", "dev", true),
            // The prefix does not cover other names that a ClusterRoleBinding makes equally powerful.
            ("eve", "kubeadm:cluster-admins", false),
            ("kubernetes-admin", "dev", false),
            ("alice", "dev", false),
        ] {
            let given = Some(vec![group.to_owned()]);
            let case = format!("{backend} {username} {group}");
            assert_eq!(groups(backend, &nothing, username, group), given, "{case}");
            let left = groups(backend, &system, username, group);
            assert_eq!(left, given.filter(|_| !is_reserved), "{case}");
        }
    }
}
