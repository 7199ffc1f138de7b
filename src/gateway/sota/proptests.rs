//! Whatever a device sends: its request is refused, or the text is TOML that says what was asked for and no more.

use proptest::prelude::*;
use toml_edit::DocumentMut;

use super::*;
use crate::url::ServerUrl;

fn render(overrides: &Overrides) -> Result<String, SotaError> {
    let url = |text| ServerUrl::https(text).unwrap();
    let urls = GatewayUrls {
        gateway: url("https://gw.example:8443"),
        ostree: url("https://ostree.example:8443"),
    };
    let sections = ["provision", "uptane", "logger"].map(str::to_owned);
    SotaTemplate::new(urls, &sections).render(&SotaRequest {
        config_dir: None,
        hardware_id: "intel-corei7-64",
        overrides,
    })
}

/// Sections and keys in their order, values as they are read.
type Tree = Vec<(String, Vec<(String, Value)>)>;

fn tree(text: &str) -> Tree {
    let document: DocumentMut = text.parse().unwrap();
    let section = |(name, item): (&str, &toml_edit::Item)| {
        let key = |(key, item): (&str, &toml_edit::Item)| {
            let value = match item.as_value().unwrap() {
                toml_edit::Value::String(text) => Value::Text(text.value().clone()),
                toml_edit::Value::Integer(number) => Value::Integer(*number.value()),
                toml_edit::Value::Float(number) => Value::Float(*number.value()),
                toml_edit::Value::Boolean(switch) => Value::Boolean(*switch.value()),
                other => panic!("{other}"),
            };
            (key.to_owned(), value)
        };
        let table = item.as_table().unwrap();
        (name.to_owned(), table.iter().map(key).collect())
    };
    document.iter().map(section).collect()
}

/// The defaults with the overrides put in, by a rule of its own.
fn expected(overrides: &Overrides) -> Tree {
    let mut tree = tree(&render(&Overrides::default()).unwrap());
    for (section, keys) in overrides.sections() {
        let at = match tree.iter().position(|(name, _)| name == section) {
            Some(at) => at,
            None => {
                tree.push((section.to_owned(), Vec::new()));
                tree.len() - 1
            }
        };
        for (key, text) in keys {
            let lines = &mut tree[at].1;
            let place = lines.iter().position(|(name, _)| name == key);
            match (Value::read(text).unwrap(), place) {
                (Value::Unset, Some(place)) => drop(lines.remove(place)),
                (Value::Unset, None) => {}
                (value, Some(place)) => lines[place].1 = value,
                (value, None) => lines.push((key.clone(), value)),
            }
        }
    }
    tree
}

fn text_of(tree: &Tree, section: &str, key: &str) -> Option<String> {
    let (_, keys) = tree.iter().find(|(name, _)| name == section)?;
    match keys.iter().find(|(name, _)| name == key)? {
        (_, Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

/// Hostile and ordinary text in one.
fn any_value() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "\"", "'", "\"\"\"", "'''", "\\", "\n", "\r\n", "\0", "#", "=", "[tls]", "[[", "{", "}",
        "server", "\\u0000", "\\\"", "{}", "%s", "\u{2028}", "\u{feff}", "\u{7f}", "1", "-", ".",
        "e9", "true", "nan", "_", " ", "\t", "main",
    ]);
    let pieces = prop::collection::vec(special.prop_map(str::to_owned), 0..6);
    prop_oneof![
        any::<String>(),
        any::<String>().prop_map(|text| format!("\"{text}\"")),
        "[ -~]{0,12}",
        "\"[ -~]{0,12}\"",
        "[-+0-9._exinfa]{1,8}",
        pieces.prop_map(|pieces| pieces.concat()),
    ]
}

fn any_overrides() -> impl Strategy<Value = Overrides> {
    let section = prop_oneof![
        8 => prop::sample::select(vec!["tls", "pacman", "storage", "import", "provision", "uptane", "logger"])
            .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let key = prop_oneof![
        8 => prop::sample::select(vec!["tags", "type", "path", "pkey_source", "new-key", "7"])
            .prop_map(str::to_owned),
        4 => "[a-zA-Z0-9_-]{1,8}",
        1 => prop::sample::select(vec!["server", "ca_source", "repo_server", "ostree_server", "tls_cacert_path"])
            .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let keys = prop::collection::vec((key, any_value()), 0..4);
    prop::collection::vec((section, keys), 0..4).prop_map(Overrides::new)
}

/// The same names, but none twice and none that is refused, so that values are what is tested.
fn sound_names() -> impl Strategy<Value = Overrides> {
    let keys = prop::collection::btree_map("[a-z]{1,3}_x", any_value(), 0..4);
    let names = prop::sample::subsequence(
        vec![
            "tls",
            "pacman",
            "storage",
            "import",
            "provision",
            "uptane",
            "logger",
        ],
        0..7,
    );
    (names.prop_shuffle(), prop::collection::vec(keys, 7)).prop_map(|(names, keys)| {
        let named = names.into_iter().zip(keys);
        Overrides::new(
            named
                .map(|(name, keys)| (name.to_owned(), keys.into_iter().collect()))
                .collect(),
        )
    })
}

fn check(overrides: &Overrides) -> Result<bool, TestCaseError> {
    let text = match render(overrides) {
        Ok(text) => text,
        Err(error) => {
            let message = error.to_string();
            prop_assert!(message.len() < 1000 && !message.contains(char::is_control));
            return Ok(false);
        }
    };
    let found = tree(&text);
    // NaN differs from itself.
    prop_assert_eq!(
        format!("{:?}", &found),
        format!("{:?}", expected(overrides))
    );
    for (section, key, wanted) in [
        ("tls", "server", "https://gw.example:8443"),
        ("tls", "ca_source", "file"),
        ("provision", "server", "https://gw.example:8443"),
        ("uptane", "repo_server", "https://gw.example:8443/repo"),
        (
            "pacman",
            "ostree_server",
            "https://ostree.example:8443/ostree",
        ),
        ("import", "tls_cacert_path", "/var/sota/root.crt"),
    ] {
        prop_assert_eq!(text_of(&found, section, key), Some(wanted.to_owned()));
    }
    // The reader on the device goes line by line.
    for line in text.lines() {
        let known = line.is_empty() || line.starts_with(['[', '#']) || line.contains(" = ");
        prop_assert!(known, "{}", line);
    }
    prop_assert!(!text.replace('\n', "").contains(char::is_control));
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_overrides_are_refused_or_say_what_was_asked_for(overrides in any_overrides()) {
        check(&overrides)?;
    }

    #[test]
    fn any_value_is_refused_or_says_what_was_asked_for(overrides in sound_names()) {
        let refusable = |text: &String| Value::read(text).is_err();
        let refused = overrides.sections().any(|(_, keys)| keys.iter().any(|(_, text)| refusable(text)));
        prop_assert_eq!(check(&overrides)?, !refused);
    }

    #[test]
    fn a_value_is_read_as_what_was_written(text in any_value()) {
        if let Ok(value) = Value::read(&text) {
            let written = value.to_string();
            prop_assert_eq!(format!("{:?}", Value::read(&written)), format!("{:?}", Ok::<_, &str>(value)));
        }
    }
}
