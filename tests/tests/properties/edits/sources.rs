//! The sources of documents.

use std::collections::BTreeSet;

use ack_ram_config::config::document::{self, ConfigMapData};
use ack_ram_config::config::entry::Refusal;
use ack_ram_config::config::{self, ConfigFile, FileMappings, Overrides};
use ack_ram_config::last_good::{LastGood, Terms, Update};
use ack_ram_core::rules::{Backend, Globs};

use super::documents::{Document, DocumentForm, ListForm};

/// A source, and how it takes a document.
pub(super) type Take = fn(&mut LastGood, &Document, &Terms<'_>) -> Update;

pub(super) fn dynamic_file(
    last_good: &mut LastGood,
    document: &Document,
    terms: &Terms<'_>,
) -> Update {
    let lists = document.texts().into_iter();
    let lists: Vec<String> = lists
        .map(|(key, text)| format!("\"{key}\": {text}"))
        .collect();
    let text = format!("{{{}}}", lists.join(",\n"));
    let text = match document.form {
        DocumentForm::Gone => return last_good.read(FileMappings::default(), terms),
        DocumentForm::SyntaxError => format!("{text}}}"),
        DocumentForm::Empty => "\n".to_owned(),
        DocumentForm::Good | DocumentForm::OtherSetting => text,
    };
    match document::dynamic_file("d.json", &text, Globs::Literal) {
        Ok(document) => last_good.read(document.mappings, terms),
        Err(why) => last_good.hold(&why, terms),
    }
}

pub(super) fn config_map(
    last_good: &mut LastGood,
    document: &Document,
    terms: &Terms<'_>,
) -> Update {
    if document.form == DocumentForm::Gone {
        return last_good.read(FileMappings::default(), terms);
    }
    let data = ConfigMapData {
        texts: document.texts().into_iter().collect(),
        binary: BTreeSet::new(),
    };
    last_good.read(
        document::config_map("c", &data, Globs::Literal).mappings,
        terms,
    )
}

pub(super) fn configuration(
    last_good: &mut LastGood,
    document: &Document,
    terms: &Terms<'_>,
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
            let why = Refusal {
                place: String::new(),
                reason: document::EMPTY.to_owned(),
            };
            return last_good.hold(&why, terms);
        }
    };
    let overrides = Overrides::default();
    let sources = config::Sources {
        file: Some(ConfigFile::Text {
            name: "config.yaml",
            text: &text,
        }),
        overrides: &overrides,
        variables: &|_| None,
    };
    match config::load(&sources) {
        Ok(config) => last_good.read(config.mappings, terms),
        Err(error) => {
            let why = Refusal {
                place: String::new(),
                reason: error.to_string(),
            };
            match config::mappings_alone(&sources) {
                Some(lists) => last_good.restrict(lists, &why, terms),
                None => last_good.hold(&why, terms),
            }
        }
    }
}

/// How a source reads what a document is.
pub(super) fn as_read(backend: Backend, document: &Document) -> Document {
    let mut read = document.clone();
    match (backend, document.form) {
        // Its keys are texts of their own.
        (Backend::ConfigMap, DocumentForm::SyntaxError | DocumentForm::Empty)
        | (Backend::ConfigMap | Backend::DynamicFile, DocumentForm::OtherSetting)
        | (Backend::MountedFile, DocumentForm::Gone) => read.form = DocumentForm::Good,
        // A list of another type refuses the whole file.
        (Backend::MountedFile, DocumentForm::Good)
            if document.list_forms.contains(&ListForm::Number) =>
        {
            read.form = DocumentForm::OtherSetting;
        }
        _ => {}
    }
    read
}
