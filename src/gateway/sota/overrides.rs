//! The overrides of a device, in the order it sent them.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::error::SotaError;
use crate::config::is_bare_key;

/// Sections with keys and their values, in the order of the body. Not checked before [`SotaTemplate::render`].
///
/// From JSON it is an object of objects of strings; an empty string stands for an empty object, as boost writes it.
///
/// [`SotaTemplate::render`]: super::SotaTemplate::render
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(Vec<(String, Keys)>);

/// The keys of a section with their values.
type Keys = Vec<(String, String)>;

impl Overrides {
    /// Takes sections as they are.
    pub fn new(sections: Vec<(String, Vec<(String, String)>)>) -> Overrides {
        Overrides(sections)
    }

    pub(super) fn sections(&self) -> impl Iterator<Item = (&str, &Keys)> {
        self.0.iter().map(|(name, keys)| (name.as_str(), keys))
    }

    /// Counts everything and holds names to what may be set; values are only measured.
    pub(super) fn check(&self, allowed: &[String]) -> Result<(), SotaError> {
        let keys: usize = self.sections().map(|(_, keys)| keys.len()).sum();
        SotaError::at_most("sections", self.0.len(), MOST_SECTIONS)?;
        SotaError::at_most("keys", keys, MOST_KEYS)?;
        SotaError::at_most("bytes", self.size(), MOST_BYTES)?;
        let mut seen = HashSet::new();
        for (section, keys) in self.sections() {
            if !allowed.iter().any(|known| known == section) {
                return Err(SotaError::section(section, allowed));
            }
            if !seen.insert((section, None)) {
                return Err(SotaError::Repeated(format!("overrides.{section}")));
            }
            for (key, _) in keys {
                check_key(section, key)?;
                if !seen.insert((section, Some(key))) {
                    return Err(SotaError::Repeated(format!("overrides.{section}.{key}")));
                }
            }
        }
        Ok(())
    }

    fn size(&self) -> usize {
        let key = |(key, value): &(String, String)| key.len() + value.len();
        let section =
            |(name, keys): (&str, &Keys)| name.len() + keys.iter().map(key).sum::<usize>();
        self.sections().map(section).sum()
    }
}

fn check_key(section: &str, key: &str) -> Result<(), SotaError> {
    if !is_bare_key(key) {
        let field = format!("overrides.{section}");
        return Err(SotaError::value(&field, key, KEY_WANTED));
    }
    match OURS.contains(&(section, key)) {
        true => Err(SotaError::Ours(format!("{section}.{key}"))),
        false => Ok(()),
    }
}

impl<'de> Deserialize<'de> for Overrides {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Overrides, D::Error> {
        let Ordered(sections) = Ordered::<Ordered<String>>::deserialize(deserializer)?;
        let named = |(name, Ordered(keys))| (name, keys);
        Ok(Overrides(sections.into_iter().map(named).collect()))
    }
}

/// An object in its order. An empty string is an empty object: boost's property tree knows no difference.
struct Ordered<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Ordered<T>, E> {
                match text {
                    "" => Ok(Ordered(Vec::new())),
                    _ => Err(E::custom("a text was found where an object is wanted")),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    if entries.len() == MOST_ENTRIES {
                        return Err(A::Error::custom("there are too many keys"));
                    }
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }

        deserializer.deserialize_any(Entries(std::marker::PhantomData))
    }
}

/// What says which servers the device talks to and which CA it knows them by. Where `server` would be read from a file,
/// and where other servers are named, the same is decided under another name.
const OURS: [(&str, &str); 9] = [
    ("tls", "server"),
    ("tls", "ca_source"),
    ("tls", "server_url_path"),
    ("provision", "server"),
    ("provision", "ecu_registration_endpoint"),
    ("uptane", "repo_server"),
    ("uptane", "director_server"),
    ("pacman", "ostree_server"),
    ("import", "tls_cacert_path"),
];

/// lmp-device-register names four sections and at most ten keys; the longest values are lists of apps.
const MOST_SECTIONS: usize = 16;
const MOST_KEYS: usize = 64;
const MOST_BYTES: usize = 16 * 1024;

/// Above what is taken, so that the error is the one about that.
const MOST_ENTRIES: usize = 1024;

const KEY_WANTED: &str = "keys of 1 to 64 letters, digits, `-`, `_`";
