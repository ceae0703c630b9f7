//! What stays in effect of a mapping that an edit broke.
//!
//! Administrators edit mappings by hand, and typing errors happen. If the server removed each broken mapping
//! immediately, a missing quote would lock people out. If the server kept the old mapping, an edit that removes a
//! group and has a typing error elsewhere would leave the group in effect. Neither is safe, so the server compares
//! the two texts.
//!
//! # The rule
//!
//! The access that the newest text **and** the last good form of a broken entry both grant stays in effect.
//! [`retain`] computes this:
//!
//! - A group stays if both texts name it. A group that the newest text does not name ends, even if the entry is
//!   broken.
//! - The newest text cannot add a group while it is broken.
//! - The username in the newest text applies if it is valid. If it is invalid and similar to the last good username,
//!   the last good username stays.
//! - In case of doubt, nothing stays. [`RetentionError`] lists the doubts: for example, an unknown key may be a
//!   restriction that the author misspelled.
//!
//! An entry that is deleted ends immediately. The earlier form of an entry is the one with the same subject, at any
//! place of the document. If the server compared by place, a new entry could inherit from a deleted one.
//!
//! # Documents that cannot be read
//!
//! A syntax error can hide every entry after it, so an unreadable document says nothing about its entries, and all of
//! them stay. The same holds for an empty file, which is often a file that is being written. A list with the value
//! null says that the list is empty.
//!
//! # Limits
//!
//! - A retained form ends after `server.lastGoodTTL`, 24 hours by default. Further broken edits do not extend the
//!   time.
//! - A retained form gives way to new mappings.
//! - Nothing is retained across a restart. A server that starts reads the current text only.
//! - For subjects in `server.protect`, the whole last good form stays in case of doubt. These are the identities with
//!   which administrators repair the cluster.
//!
//! # Where it is
//!
//! [`LastGood`] is pure: documents and the current time go in, an update comes out. `DocumentSource` in
//! `host/src/backends` reads the documents, logs what is retained, and publishes the rules. Objects use the same
//! rules, one object at a time.
//!
//! [`LastGood`]: ack_ram_config::last_good::LastGood
//! [`RetentionError`]: ack_ram_config::last_good::RetentionError
//! [`retain`]: ack_ram_config::last_good::retain()
