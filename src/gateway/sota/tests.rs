//! What a sota.toml looks like, and what is refused.

use super::*;
use crate::url::ServerUrl;

/// `section.key=value`, or `section` alone.
fn overrides(items: &[&str]) -> Overrides {
    let mut sections: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for item in items {
        let (name, value) = item.split_once('=').unwrap_or((item, ""));
        let (section, key) = name.split_once('.').unwrap_or((name, ""));
        if sections.last().is_none_or(|(last, _)| last != section) {
            sections.push((section.to_owned(), Vec::new()));
        }
        if !key.is_empty() {
            let keys = &mut sections.last_mut().unwrap().1;
            keys.push((key.to_owned(), value.to_owned()));
        }
    }
    Overrides::new(sections)
}

fn template(sections: &[&str]) -> SotaTemplate {
    let url = |text| ServerUrl::https(text).unwrap();
    let urls = GatewayUrls {
        gateway: url("https://gw.example:8443"),
        ostree: url("https://ostree.example:8443"),
    };
    let sections: Vec<String> = sections.iter().map(|name| (*name).to_owned()).collect();
    SotaTemplate::new(urls, &sections)
}

fn render(items: &[&str]) -> Result<String, String> {
    render_with(&["provision", "uptane", "logger"], &overrides(items))
}

fn render_with(sections: &[&str], overrides: &Overrides) -> Result<String, String> {
    let request = SotaRequest {
        config_dir: None,
        hardware_id: "intel-corei7-64",
        overrides,
    };
    let text = template(sections).render(&request);
    text.map_err(|error| format!("{}: {error}", error.field()))
}

/// The lines of a section.
fn section(text: &str, name: &str) -> Vec<String> {
    let head = format!("[{name}]");
    let lines = text.lines().skip_while(|line| *line != head).skip(1);
    lines
        .take_while(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_captured_requests_get_this() {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Body {
        sota_config_dir: String,
        hardware_id: String,
        overrides: Overrides,
    }
    for sample in ["plain", "production"] {
        let path = format!("tests/data/lmp-device-register/register-{sample}.json");
        let body: Body = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let request = SotaRequest {
            config_dir: Some(&body.sota_config_dir),
            hardware_id: &body.hardware_id,
            overrides: &body.overrides,
        };
        assert_eq!(template(&[]).render(&request).unwrap(), CAPTURED);
    }
}

const CAPTURED: &str = r#"[tls]
server = "https://gw.example:8443"
ca_source = "file"
pkey_source = "file"
cert_source = "file"

[provision]
server = "https://gw.example:8443"
primary_ecu_hardware_id = "intel-corei7-64"

[uptane]
repo_server = "https://gw.example:8443/repo"
key_source = "file"

[pacman]
type = "ostree+compose_apps"
ostree_server = "https://ostree.example:8443/ostree"
compose_apps_root = "/var/sota/compose-apps"
reset_apps_root = "/var/sota/reset-apps"
reset_apps = " "
tags = "main"

[storage]
type = "sqlite"
path = "/var/sota/"

[import]
tls_cacert_path = "/var/sota/root.crt"
tls_pkey_path = "/var/sota/pkey.pem"
tls_clientcert_path = "/var/sota/client.pem"
"#;

#[test]
fn overrides_replace_append_and_unset() {
    // A key in a PKCS#11 token, as lmp-device-register sends it.
    let text = render(&[
        "tls.pkey_source=\"pkcs11\"",
        "tls.cert_source=\"pkcs11\"",
        "storage.tls_pkey_path=",
        "storage.tls_clientcert_path=",
        "import.tls_pkey_path=",
        "import.tls_clientcert_path=",
        "logger.loglevel=1",
        "provision.primary_ecu_hardware_id=\"other\"",
    ])
    .unwrap();
    let sections: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(
        sections,
        [
            "[tls]",
            "[provision]",
            "[uptane]",
            "[pacman]",
            "[storage]",
            "[import]",
            "[logger]"
        ]
    );
    for (name, lines) in [
        (
            "tls",
            &[
                "server = \"https://gw.example:8443\"",
                "ca_source = \"file\"",
                "pkey_source = \"pkcs11\"",
                "cert_source = \"pkcs11\"",
            ][..],
        ),
        (
            "storage",
            &[
                "type = \"sqlite\"",
                "path = \"/var/sota/\"",
                "# tls_pkey_path is not set",
                "# tls_clientcert_path is not set",
            ],
        ),
        (
            "import",
            &[
                "tls_cacert_path = \"/var/sota/root.crt\"",
                "# tls_pkey_path is not set",
                "# tls_clientcert_path is not set",
            ],
        ),
        ("logger", &["loglevel = 1"]),
        (
            "provision",
            &[
                "server = \"https://gw.example:8443\"",
                "primary_ecu_hardware_id = \"other\"",
            ],
        ),
    ] {
        assert_eq!(section(&text, name), lines);
    }
    assert_eq!(render(&["pacman"]), render(&[]));
    let empty = render(&["logger"]).unwrap();
    assert!(empty.ends_with("client.pem\"\n\n[logger]\n"), "{empty}");
}

#[test]
fn values_are_read_and_written_anew() {
    for (sent, written) in [
        // As lmp-device-register joins them.
        (r#""main""#, r#""main""#),
        (r#""""#, r#""""#),
        (r#"" ""#, r#"" ""#),
        (r#""a"b""#, r#""a\"b""#),
        (r#""a\"b""#, r#""a\"b""#),
        (r#""a\\b""#, r#""a\\b""#),
        (r#""C:\x""#, r#""C:\\x""#),
        (r#""a" # b""#, r#""a\" # b""#),
        (r#""a"]["b""#, r#""a\"][\"b""#),
        (r#""\u00e9\U0001f600""#, "\"é😀\""),
        (r#""{} %s %n {0} ${x} $(x)""#, r#""{} %s %n {0} ${x} $(x)""#),
        (
            "\"\u{2028}\u{feff}\u{202e}\"",
            "\"\u{2028}\u{feff}\u{202e}\"",
        ),
        (r#""""a"b""""#, r#""a\"b""#),
        ("'a\\b'", r#""a\\b""#),
        ("'a\"b'", r#""a\"b""#),
        ("'''a'b'''", r#""a'b""#),
        // Without quotes, as the reference's own test client sends them.
        ("/var/sota/compose-apps", r#""/var/sota/compose-apps""#),
        ("main", r#""main""#),
        ("main,devel", r#""main,devel""#),
        (" main\t", r#""main""#),
        ("a\"b\\c", r#""a\"b\\c""#),
        ("é", r#""é""#),
        ("\u{feff}1", "\"\u{feff}1\""),
        // Scalars.
        ("7", "7"),
        ("+7", "7"),
        ("-7", "-7"),
        ("1_000", "1000"),
        ("0x1F", "31"),
        ("0o17", "15"),
        ("0b11", "3"),
        ("9223372036854775807", "9223372036854775807"),
        ("1.50", "1.5"),
        ("1e3", "1000.0"),
        ("inf", "inf"),
        ("true", "true"),
        ("false", "false"),
        // No scalars: strings.
        ("9223372036854775808", r#""9223372036854775808""#),
        ("007", r#""007""#),
        ("True", r#""True""#),
        ("null", r#""null""#),
        ("[1, 2]", r#""[1, 2]""#),
        ("[[[[[[[[", r#""[[[[[[[[""#),
        ("{a = 1}", r#""{a = 1}""#),
        ("2026-11-24", r#""2026-11-24""#),
        ("07:32:00", r#""07:32:00""#),
        ("a = 1", r#""a = 1""#),
        ("# x", r##""# x""##),
        ("1 2", r#""1 2""#),
    ] {
        let text = render(&[&format!("pacman.tags={sent}")]).unwrap();
        let line = section(&text, "pacman").pop().unwrap();
        assert_eq!(line, format!("tags = {written}"), "{sent}");
    }
}

#[test]
fn an_empty_value_is_unset() {
    for sent in ["", " ", "\t"] {
        let text = render(&[&format!("pacman.tags={sent}")]).unwrap();
        assert_eq!(section(&text, "pacman").pop().unwrap(), "# tags is not set");
    }
    let text = render(&["pacman.type="]).unwrap();
    assert_eq!(section(&text, "pacman")[0], "# type is not set");
}

#[test]
fn values_that_cannot_be_are_refused() {
    let plain = "wanted is a value without control characters";
    let closed = "wanted is a value that ends with the quote it starts with";
    for (sent, wanted) in [
        ("\"main", closed),
        ("\"", closed),
        ("'main", closed),
        ("'a'b'", closed),
        ("\"a\" x", closed),
        ("\"a\nb\"", plain),
        ("1\nserver = 2", plain),
        ("x\0", plain),
        ("\"x\u{1b}[2J\"", plain),
        ("\"x\u{7f}\"", plain),
        ("\"x\u{85}\"", plain),
        (r#""a\nb""#, plain),
        (r#""\u0000""#, plain),
        (r#""\u007f""#, plain),
        ("\"\"\"a\nb\"\"\"", plain),
    ] {
        let error = render(&[&format!("pacman.tags={sent}")]).unwrap_err();
        let (field, shown) = ("overrides.pacman.tags", sent.escape_debug());
        assert_eq!(error, format!("{field}: `{field}` is `{shown}`, {wanted}"));
    }
    let error = render(&["pacman.tags=x\ny"]).unwrap_err();
    assert_eq!(
        error,
        "overrides.pacman.tags: `overrides.pacman.tags` is `x\\ny`, wanted is a value without control characters"
    );
}

#[test]
fn no_device_decides_which_servers_it_trusts() {
    for key in [
        "tls.server",
        "tls.ca_source",
        "tls.server_url_path",
        "provision.server",
        "provision.ecu_registration_endpoint",
        "uptane.repo_server",
        "uptane.director_server",
        "pacman.ostree_server",
        "import.tls_cacert_path",
    ] {
        for value in [
            "\"https://evil.example\"",
            "",
            "\"https://gw.example:8443\"",
        ] {
            let error = render(&["pacman.tags=\"main\"", &format!("{key}={value}")]);
            let wanted = format!(
                "overrides.{key}: `overrides` names `{key}`, which only this server decides"
            );
            assert_eq!(error, Err(wanted));
        }
    }
}

#[test]
fn sections_are_taken_if_the_configuration_lists_them() {
    let own = overrides(&["provision.mode=\"DeviceCred\""]);
    let taken = "taken are `pacman`, `tls`, `storage`, `import`";
    assert_eq!(
        render_with(&[], &own),
        Err(format!(
            "overrides: `overrides` has the section `provision`; {taken}"
        ))
    );
    let text = render_with(&["provision"], &own).unwrap();
    assert_eq!(
        section(&text, "provision").pop().unwrap(),
        "mode = \"DeviceCred\""
    );
    for name in [
        "",
        "Pacman",
        "pacman ",
        "a\"]\n[tls",
        "pacman.x",
        "\u{feff}tls",
    ] {
        let own = Overrides::new(vec![(name.to_owned(), Vec::new())]);
        let shown = name.escape_debug();
        assert_eq!(
            render_with(&[], &own),
            Err(format!(
                "overrides: `overrides` has the section `{shown}`; {taken}"
            ))
        );
    }
}

#[test]
fn names_of_keys_are_bare_and_there_once() {
    let long = "k".repeat(65);
    for (key, shown) in [
        ("", "``".to_owned()),
        ("a b", "`a b`".to_owned()),
        ("a.b", "`a.b`".to_owned()),
        ("\"server\"", "`\\\"server\\\"`".to_owned()),
        ("server = 1\n#", "`server = 1\\n#`".to_owned()),
        ("ключ", "`ключ`".to_owned()),
        (&long, format!("`{}…`", "k".repeat(60))),
    ] {
        let keys = vec![(key.to_owned(), "1".to_owned())];
        let own = Overrides::new(vec![("tls".to_owned(), keys)]);
        let wanted = "wanted is keys of 1 to 64 letters, digits, `-`, `_`";
        assert_eq!(
            render_with(&[], &own),
            Err(format!(
                "overrides.tls: `overrides.tls` is {shown}, {wanted}"
            ))
        );
    }
    assert_eq!(
        render(&["pacman.tags=1", "pacman.tags=2"]),
        Err("overrides.pacman.tags: `overrides.pacman.tags` is there twice".to_owned())
    );
    assert_eq!(
        render(&["pacman.tags=1", "tls", "pacman.type=2"]),
        Err("overrides.pacman: `overrides.pacman` is there twice".to_owned())
    );
}

#[test]
fn everything_is_counted() {
    let many = |sections: usize, keys: usize, value: usize| {
        let keys = |section: usize| {
            let key = move |key| (format!("k{section}-{key}"), "x".repeat(value));
            (0..keys).map(key).collect()
        };
        let named = |number| ("pacman".to_owned(), keys(number));
        Overrides::new((0..sections).map(named).collect())
    };
    for (own, wanted) in [
        (many(17, 0, 0), "has 17 sections, at most 16 are taken"),
        (many(1, 65, 0), "has 65 keys, at most 64 are taken"),
        (
            many(1, 1, 16 * 1024),
            "has 16394 bytes, at most 16384 are taken",
        ),
        (
            many(1, 1, 100_000_000),
            "has 100000010 bytes, at most 16384 are taken",
        ),
    ] {
        assert_eq!(
            render_with(&[], &own),
            Err(format!("overrides: `overrides` {wanted}"))
        );
    }
    let text = render_with(&[], &many(1, 64, 200)).unwrap();
    assert!(text.len() < 20_000);
}

#[test]
fn the_directory_is_a_clean_absolute_path() {
    let long = format!("/{}", "x".repeat(255));
    let none = Overrides::default();
    let render = |path| {
        let request = SotaRequest {
            config_dir: Some(path),
            hardware_id: "x",
            overrides: &none,
        };
        template(&[]).render(&request)
    };
    for (path, written) in [
        ("/var/sota", "/var/sota"),
        ("/var/sota/", "/var/sota"),
        ("/sota", "/sota"),
        ("/mnt/é x/.sota..", "/mnt/é x/.sota.."),
    ] {
        let text = render(path).unwrap();
        let path = section(&text, "storage").pop().unwrap();
        assert_eq!(path, format!("path = \"{written}/\""));
        let client = section(&text, "import").pop().unwrap();
        assert_eq!(
            client,
            format!("tls_clientcert_path = \"{written}/client.pem\"")
        );
    }
    for path in [
        "",
        "/",
        "//",
        "var/sota",
        "./x",
        "/var//sota",
        "/var/sota//",
        "/var/../etc",
        "/var/.",
        "/var/..",
        "/..",
        "/var/sota\n",
        "/var\0",
        "/var/\"x",
        "/var/'x",
        "/var\\x",
        "/a\u{2028}b",
        "/a\u{85}b",
        &long,
    ] {
        let error = render(path).unwrap_err();
        assert_eq!(error.field(), "sota-config-dir");
        let shown = error.to_string();
        assert!(
            shown.ends_with(&format!("`, wanted is {CONFIG_DIR_WANTED}")),
            "{shown}"
        );
        assert!(shown.starts_with("`sota-config-dir` is `"), "{shown}");
    }
}

#[test]
fn the_hardware_is_named_plainly() {
    let none = Overrides::default();
    let render = |hardware_id| {
        let request = SotaRequest {
            config_dir: None,
            hardware_id,
            overrides: &none,
        };
        template(&[]).render(&request)
    };
    for id in [
        "intel-corei7-64",
        "raspberrypi4-64",
        "imx8mm-lpddr4-evk",
        "hw_2.1+b:c",
    ] {
        let line = section(&render(id).unwrap(), "provision").pop().unwrap();
        assert_eq!(line, format!("primary_ecu_hardware_id = \"{id}\""));
    }
    let long = "x".repeat(201);
    for (id, shown) in [
        ("", "``".to_owned()),
        ("a b", "`a b`".to_owned()),
        ("a\"b", "`a\\\"b`".to_owned()),
        ("a\\b", "`a\\\\b`".to_owned()),
        ("a\nb", "`a\\nb`".to_owned()),
        ("é", "`é`".to_owned()),
        (&long, format!("`{}…`", "x".repeat(60))),
    ] {
        let error = render(id).unwrap_err();
        assert_eq!(error.field(), "hardware-id");
        let wanted = "1 to 200 visible ASCII characters without quotes, such as `intel-corei7-64`";
        assert_eq!(
            error.to_string(),
            format!("`hardware-id` is {shown}, wanted is {wanted}")
        );
    }
}

#[test]
fn overrides_are_read_in_their_order() {
    let read = |text: &str| serde_json::from_str::<Overrides>(text);
    let wanted = overrides(&["tls.z=1", "tls.a=2", "pacman.x="]);
    let text = r#"{"tls": {"z": "1", "a": "2"}, "pacman": {"x": ""}}"#;
    assert_eq!(read(text).unwrap(), wanted);
    // boost writes an empty object as an empty string.
    assert_eq!(read("\"\"").unwrap(), Overrides::default());
    assert_eq!(read(r#"{"tls": ""}"#).unwrap(), overrides(&["tls"]));
    let twice = read(r#"{"tls": {"a": "1", "a": "2"}}"#).unwrap();
    assert_eq!(
        render_with(&[], &twice),
        Err("overrides.tls.a: `overrides.tls.a` is there twice".to_owned())
    );
    for (text, wanted) in [
        (
            "[]",
            "invalid type: sequence, expected an object at line 1 column 2",
        ),
        (
            "null",
            "invalid type: null, expected an object at line 1 column 4",
        ),
        (
            r#"{"tls": {"a": true}}"#,
            "invalid type: boolean `true`, expected a string at line 1 column 18",
        ),
        (
            r#"{"tls": {"a": 1}}"#,
            "invalid type: integer `1`, expected a string at line 1 column 15",
        ),
        (
            r#"{"tls": {"a": {}}}"#,
            "invalid type: map, expected a string at line 1 column 14",
        ),
        (
            r#"{"tls": "x"}"#,
            "a text was found where an object is wanted at line 1 column 11",
        ),
    ] {
        assert_eq!(read(text).unwrap_err().to_string(), wanted);
    }
    let keys: Vec<String> = (0..2000).map(|key| format!("\"k{key}\": \"\"")).collect();
    let error = read(&format!("{{\"tls\": {{{}}}}}", keys.join(", "))).unwrap_err();
    assert!(
        error.to_string().starts_with("there are too many keys"),
        "{error}"
    );
}
