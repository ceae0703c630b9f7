//! The backends that read the documents.

use std::collections::BTreeSet;

use ack_ram_config::document::{self, ConfigMapData};
use ack_ram_config::last_good::{LastGood, RetentionPolicy, Update};
use ack_ram_config::{ConfigFile, Overrides, ParsedMappings};
use ack_ram_config::{Diagnostic, Location};
use ack_ram_core::rules::{Backend, WildcardMode};

use super::documents::{Document, DocumentForm, ListForm};

/// A function that applies a document as a backend does.
pub(super) type ApplyDocument = fn(&mut LastGood, &Document, &RetentionPolicy<'_>) -> Update;

pub(super) fn dynamic_file(
    last_good: &mut LastGood,
    document: &Document,
    terms: &RetentionPolicy<'_>,
) -> Update {
    let lists = document.texts().into_iter();
    let lists: Vec<String> = lists
        .map(|(key, text)| format!("\"{key}\": {text}"))
        .collect();
    let text = format!("{{{}}}", lists.join(",\n"));
    let text = match document.form {
        DocumentForm::Gone => return last_good.apply(ParsedMappings::default(), terms),
        DocumentForm::SyntaxError => format!("{text}}}"),
        DocumentForm::Empty => "\n".to_owned(),
        DocumentForm::Good | DocumentForm::OtherSetting => text,
    };
    match document::parse_dynamic_file("d.json", &text, WildcardMode::Disabled) {
        Ok(document) => last_good.apply(document.mappings, terms),
        Err(reason) => last_good.keep_last_good(&reason, terms),
    }
}

pub(super) fn config_map(
    last_good: &mut LastGood,
    document: &Document,
    terms: &RetentionPolicy<'_>,
) -> Update {
    if document.form == DocumentForm::Gone {
        return last_good.apply(ParsedMappings::default(), terms);
    }
    let data = ConfigMapData {
        texts: document.texts().into_iter().collect(),
        binary_keys: BTreeSet::new(),
    };
    last_good.apply(
        document::parse_config_map("c", &data, WildcardMode::Disabled).mappings,
        terms,
    )
}

pub(super) fn configuration(
    last_good: &mut LastGood,
    document: &Document,
    terms: &RetentionPolicy<'_>,
) -> Update {
    let lists = document.texts().into_iter();
    let lists: String = lists
        .map(|(key, text)| format!("  {key}: {text}\n"))
        .collect();
    let text = match document.form {
        DocumentForm::Good | DocumentForm::Gone => format!("clusterID: c\nserver:\n{lists}"),
        DocumentForm::OtherSetting => format!("clusterID: c\nserver:\n  port: 99999\n{lists}"),
        DocumentForm::SyntaxError => format!("clusterID: [c\nserver:\n{lists}"),
        DocumentForm::Empty => {
            let reason = Diagnostic::unreadable(Location::default(), document::EMPTY_DOCUMENT);
            return last_good.keep_last_good(&reason, terms);
        }
    };
    let overrides = Overrides::default();
    let sources = ack_ram_config::ConfigSources {
        file: Some(ConfigFile::Text {
            name: "config.yaml",
            text: &text,
        }),
        overrides: &overrides,
        variables: &|_| None,
    };
    match ack_ram_config::load(&sources) {
        Ok(config) => last_good.apply(config.mappings, terms),
        Err(error) => {
            let reason = Diagnostic::unreadable(Location::default(), error);
            match ack_ram_config::load_mappings_only(&sources) {
                Some(lists) => last_good.restrict_to(lists, &reason, terms),
                None => last_good.keep_last_good(&reason, terms),
            }
        }
    }
}

/// Returns the document as `backend` reads it.
pub(super) fn as_read(backend: Backend, document: &Document) -> Document {
    let mut read = document.clone();
    match (backend, document.form) {
        // Each key of a ConfigMap is a separate text.
        (Backend::ConfigMap, DocumentForm::SyntaxError | DocumentForm::Empty)
        | (Backend::ConfigMap | Backend::DynamicFile, DocumentForm::OtherSetting)
        | (Backend::MountedFile, DocumentForm::Gone) => read.form = DocumentForm::Good,
        // A list of another type makes the whole file invalid.
        (Backend::MountedFile, DocumentForm::Good)
            if document.list_forms.contains(&ListForm::Number) =>
        {
            read.form = DocumentForm::OtherSetting;
        }
        _ => {}
    }
    read
}
