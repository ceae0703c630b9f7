//! The lists of mappings, in the file and in other documents, and the list of backends.

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{
    Backend, FieldSlot, Mapping, MappingField, MappingSpec, Precedence, Source, WildcardMode,
};

use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::entry::{InvalidEntry, ListItem, MappingList};
use crate::file::{MisspelledKey, Table};
use crate::keys::{self, KnownKeys};
use crate::layers::Layers;
use crate::located::Located;
use crate::partial_entry::PartialEntry;
use crate::yaml::Value;

/// The mappings of one document, as written. `core` compiles each [`Mapping`] to a rule, or refuses it.
#[derive(Debug, Default)]
pub struct ParsedMappings {
    /// Entries of `mapRoles`, `mapUsers` and `mapRules`, in this order.
    pub mappings: Vec<Located<Mapping>>,
    /// Entries of `mapAccounts`.
    pub accounts: Vec<Located<AccountId>>,
    /// Items of each list that is present, or the error of a list that cannot be read.
    pub lists: BTreeMap<MappingList, Result<Vec<ListItem>, Diagnostic>>,
    /// Lists with a misspelled key. They have no effect, but limit which parts of the last good form are kept. In
    /// `lists`, each of them is an error.
    pub inactive_lists: BTreeMap<MappingList, Box<ParsedMappings>>,
    /// Unknown keys that may be meant to restrict a mapping, by the index of the mapping in `mappings`. The Go server
    /// ignores them.
    pub narrowing_keys: BTreeMap<usize, String>,
    /// Error that makes all lists unreadable.
    pub unreadable: Option<Diagnostic>,
    /// Whether ARNs in `mapRoles` and `mapUsers` may have wildcards; `None` if there are no lists.
    pub globs: Option<WildcardMode>,
}

/// Reads `server.mapRoles`, `mapUsers`, `mapRules` and `mapAccounts`. An invalid entry is left out with a warning.
pub(super) fn read_mappings(
    layers: &mut Layers<'_>,
    globs: WildcardMode,
) -> Result<ParsedMappings, Diagnostic> {
    match read_mappings_lenient(layers, globs) {
        (mappings, None) => Ok(mappings),
        (_, Some(error)) => Err(error),
    }
}

/// Reads the lists as [`read_mappings`] does. Returns the readable lists, and the error of the first unreadable list.
pub(super) fn read_mappings_lenient(
    layers: &mut Layers<'_>,
    globs: WildcardMode,
) -> (ParsedMappings, Option<Diagnostic>) {
    let mut reader = MappingReader::new(Backend::MountedFile, globs);
    let misspelled = layers.root.take_misspelled("server");
    reader.mappings.unreadable = misspelled.map(|server| server.diagnostic);
    let mut first = None;
    for list in MappingList::ALL {
        let Some(given) = layers.server.take_with_null(list.key()) else {
            let misspelled = layers.server.take_misspelled(list.key());
            if let Some(MisspelledKey {
                diagnostic,
                meant: given,
            }) = misspelled
            {
                reader.add_inactive_list(list, diagnostic, given);
            }
            continue;
        };
        let no_list = given
            .text_for_list_diagnostic()
            .filter(|_| list != MappingList::Accounts);
        match (given.into_items(&mut layers.diagnostics.warnings), no_list) {
            (Ok(items), no_list) => {
                reader.read_entries(list, items, &mut layers.diagnostics.warnings);
                if let Some(why) = no_list {
                    reader.refuse_list(list, why);
                }
            }
            (Err(error), _) => {
                reader.refuse_list(list, error.clone());
                first.get_or_insert(error);
            }
        }
    }
    (reader.mappings, first)
}

/// Reader of the lists of one document.
pub(super) struct MappingReader {
    backend: Backend,
    globs: WildcardMode,
    pub(super) mappings: ParsedMappings,
}

impl MappingReader {
    pub(super) fn new(backend: Backend, globs: WildcardMode) -> Self {
        Self {
            backend,
            globs,
            mappings: ParsedMappings {
                globs: Some(globs),
                ..ParsedMappings::default()
            },
        }
    }

    /// Records that `list` as a whole cannot be read.
    pub(super) fn refuse_list(&mut self, list: MappingList, why: Diagnostic) {
        self.mappings.lists.insert(list, Err(why));
    }

    /// Records `given`, the value of a misspelled key of `list`. The list has no effect because of `why`.
    pub(super) fn add_inactive_list(
        &mut self,
        list: MappingList,
        why: Diagnostic,
        given: Located<Value>,
    ) {
        let mut ignored = Vec::new();
        // In the configuration file, the Go server splits the text of `mapAccounts` at commas.
        let may_be_text = list == MappingList::Accounts && self.backend == Backend::MountedFile;
        let items = match given.text_for_list_diagnostic().filter(|_| !may_be_text) {
            None => given.into_items(&mut ignored).ok(),
            Some(_) => None,
        };
        if let Some(items) = items {
            let mut reader = Self::new(self.backend, self.globs);
            reader.read_entries(list, items, &mut ignored);
            let inactive_lists = &mut self.mappings.inactive_lists;
            inactive_lists.insert(list, Box::new(reader.mappings));
        }
        self.refuse_list(list, why);
    }

    /// Reads `items` as the entries of `list`.
    pub(super) fn read_entries(
        &mut self,
        list: MappingList,
        items: Vec<Located<Value>>,
        warnings: &mut Vec<Diagnostic>,
    ) {
        let slots = items
            .into_iter()
            .map(|entry| match list.entry_keys() {
                Some(keys) => self.read_mapping(list, entry, keys, warnings),
                None => self.read_account(entry, warnings),
            })
            .collect();
        self.mappings.lists.insert(list, Ok(slots));
    }

    fn read_mapping(
        &mut self,
        list: MappingList,
        entry: Located<Value>,
        keys: KnownKeys,
        warnings: &mut Vec<Diagnostic>,
    ) -> ListItem {
        let (location, setting) = (entry.location.clone(), entry.setting.clone());
        let source = Source {
            backend: self.backend,
            position: setting.clone(),
        };
        let partial = PartialEntry::from_yaml(&entry.value, list, self.backend, self.globs);
        let mut remarks = Vec::new();
        let globs = self.globs;
        let read = match list {
            MappingList::Rules => Table::strict(entry, keys)
                .and_then(|mut table| read_rule(source, &mut table, &mut remarks)),
            MappingList::Roles | MappingList::Users | MappingList::Accounts => {
                Table::new(entry, keys, &mut remarks)
                    .and_then(|mut table| {
                        read_exact_mapping(source, list, &mut table, &mut remarks)
                    })
                    .map(|mapping| Mapping {
                        wildcards: globs,
                        ..mapping
                    })
            }
        };
        let slot = match read {
            Ok(mapping) => {
                let index = self.mappings.mappings.len();
                if let Some(key) = partial.unknown_key {
                    self.mappings.narrowing_keys.insert(index, key);
                }
                self.mappings.mappings.push(Located {
                    value: Mapping {
                        precedence: Precedence::ListIndex(index),
                        ..mapping
                    },
                    location,
                    setting: setting.clone(),
                });
                ListItem::Mapping(index)
            }
            Err(error) => {
                remarks.push(error.clone().into_warning(DiagnosticCode::InvalidEntry));
                ListItem::Invalid(Box::new(InvalidEntry {
                    position: setting.clone(),
                    refusal: error,
                    partial: Some(partial),
                }))
            }
        };
        warnings.extend(remarks.into_iter().map(|remark| Diagnostic {
            location: remark.location.with_entry(setting.clone()),
            ..remark
        }));
        slot
    }

    fn read_account(&mut self, entry: Located<Value>, warnings: &mut Vec<Diagnostic>) -> ListItem {
        let position = entry.setting.clone();
        match parse_account(entry, warnings) {
            Ok(account) => {
                self.mappings.accounts.push(account);
                ListItem::Account(self.mappings.accounts.len() - 1)
            }
            Err(error) => {
                warnings.push(error.clone().into_warning(DiagnosticCode::InvalidEntry));
                ListItem::Invalid(Box::new(InvalidEntry {
                    position,
                    refusal: error,
                    partial: None,
                }))
            }
        }
    }
}

/// Reads `server.scrubbedAccounts`.
///
/// An invalid account is an error, because leaving it out would reveal its identities.
pub(super) fn read_scrubbed_accounts(
    layers: &mut Layers<'_>,
) -> Result<BTreeSet<AccountId>, Diagnostic> {
    let entries = layers
        .server
        .list("scrubbedAccounts", &mut layers.diagnostics.warnings)?;
    entries
        .into_iter()
        .map(|entry| {
            parse_account(entry, &mut layers.diagnostics.warnings).map(|given| given.value)
        })
        .collect()
}

/// Reads `--backend-mode`, or else `server.backendMode`. The default is MountedFile, as in the Go server.
pub(super) fn read_backends(layers: &mut Layers<'_>) -> Result<Vec<Backend>, Diagnostic> {
    let in_file = layers
        .server
        .texts("backendMode", &mut layers.diagnostics.warnings)?;
    let names = match &layers.overrides.backend_mode {
        Some(names) => names
            .iter()
            .map(|name| Located::from_flag("backend-mode", name.clone()))
            .collect(),
        None => in_file,
    };
    let mut backends = Vec::new();
    for name in names {
        let backend = parse_backend(&name)?;
        if backends.contains(&backend) {
            return Err(name.diagnostic(format_args!("repeats `{backend}`; remove one of them")));
        }
        backends.push(backend);
    }
    if backends.is_empty() {
        backends.push(Backend::MountedFile);
    }
    Ok(backends)
}

/// Parses the name of a backend.
pub(super) fn parse_backend(name: &Located<String>) -> Result<Backend, Diagnostic> {
    const KNOWN: &[&str] = &[
        "MountedFile",
        "File",
        "ACKConfigMap",
        "ConfigMap",
        "CRD",
        "DynamicFile",
    ];
    match name.value.as_str() {
        "MountedFile" | "File" => Ok(Backend::MountedFile),
        "ACKConfigMap" | "ConfigMap" => Ok(Backend::ConfigMap),
        "CRD" => Ok(Backend::Crd),
        "DynamicFile" => Ok(Backend::DynamicFile),
        unknown => {
            let guess = keys::nearest(unknown, KNOWN)
                .map_or(String::new(), |name| format!("did you mean `{name}`? "));
            Err(name.diagnostic(format_args!(
                "names an unknown backend `{unknown}`; {guess}known backends: `{}`",
                KNOWN.join("`, `")
            )))
        }
    }
}

/// Reads an entry of `mapRoles` or `mapUsers`.
fn read_exact_mapping(
    source: Source,
    list: MappingList,
    table: &mut Table,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Mapping, Diagnostic> {
    let arn = table.required_text(match list {
        MappingList::Users => "userARN",
        MappingList::Roles | MappingList::Rules | MappingList::Accounts => "roleARN",
    })?;
    let username = table.required_text("username")?;
    let groups = read_names(table, "groups", warnings)?;
    Ok(Mapping::for_arn(
        source,
        Precedence::ListIndex(0),
        &arn,
        &username,
        groups,
    ))
}

/// Reads an entry of `mapRules`. The Go server does not read this list, so entries may have fields that are new here.
fn read_rule(
    source: Source,
    table: &mut Table,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Mapping, Diagnostic> {
    let mut spec = MappingSpec::default();
    // Texts are read before lists, because only the first of several errors is reported.
    let fields = MappingField::ALL.iter().copied();
    let (lists, texts): (Vec<_>, Vec<_>) = fields.partition(|field| field.is_list());
    for field in texts.into_iter().chain(lists.into_iter().rev()) {
        match spec.slot(field) {
            FieldSlot::Text(text) => *text = read_text(table, field.name())?.unwrap_or_default(),
            FieldSlot::OptionalText(text) => *text = read_text(table, field.name())?,
            FieldSlot::Texts(texts) => *texts = read_names(table, field.name(), warnings)?,
        }
    }
    Ok(Mapping {
        wildcards: WildcardMode::Enabled,
        ..Mapping::new(source, Precedence::ListIndex(0), spec)
    })
}

fn read_text(table: &mut Table, key: &'static str) -> Result<Option<String>, Diagnostic> {
    Ok(table.text(key)?.map(|text| text.value))
}

fn read_names(
    table: &mut Table,
    key: &'static str,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<String>, Diagnostic> {
    let names = table.texts(key, warnings)?;
    Ok(names.into_iter().map(|name| name.value).collect())
}

fn parse_account(
    entry: Located<Value>,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Located<AccountId>, Diagnostic> {
    let is_number = matches!(entry.value, Value::Number(_));
    let text = entry.into_text()?;
    let Some(account) = AccountId::parse(&text.value) else {
        return Err(text.diagnostic(format_args!(
            "is `{}`, which is not an account ID; write only digits",
            text.value
        )));
    };
    if is_number {
        let diagnostic = text.diagnostic(
            "has no quotes; put quotes around it, because an account ID can start with 0",
        );
        warnings.push(diagnostic.into_warning(DiagnosticCode::NumericAccount));
    }
    Ok(text.with_value(account))
}
