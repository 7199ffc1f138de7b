//! Bodies that are no JSON, no object, or an object of the wrong shape.

use serde_json::{Value, json};

use super::rows::{Lab, Row, Wanted};

pub fn rows(lab: &Lab) -> Vec<Row> {
    let mut rows = no_json(lab);
    rows.extend(no_object(lab));
    rows.extend(wrong_types(lab));
    rows.extend(missing(lab));
    rows.extend(repeated(lab));
    rows.extend(sizes(lab));
    rows.extend(taken(lab));
    rows
}

fn no_json(lab: &Lab) -> Vec<Row> {
    let deep = |open: &str, close: &str| {
        let nested = format!("{}1{}", open.repeat(9000), close.repeat(9000));
        format!(r#"{{"csr": {nested}}}"#)
    };
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "an open brace",
            b"{".to_vec(),
            "EOF while parsing an object at line 1 column 1",
        ),
        (
            "a cut key",
            br#"{"cs"#.to_vec(),
            "EOF while parsing a string at line 1 column 4",
        ),
        (
            "a cut value",
            br#"{"csr": "-----"#.to_vec(),
            "EOF while parsing a string at line 1 column 14",
        ),
        (
            "a missing colon",
            br#"{"csr" "x"}"#.to_vec(),
            "expected `:` at line 1 column 8",
        ),
        (
            "a missing comma",
            br#"{"csr": "x" "name": "y"}"#.to_vec(),
            "expected `,` or `}` at line 1 column 13",
        ),
        (
            "a trailing comma",
            br#"{"csr": "x",}"#.to_vec(),
            "trailing comma at line 1 column 13",
        ),
        (
            "two commas",
            br#"{"csr": "x",, "name": "y"}"#.to_vec(),
            "key must be a string at line 1 column 13",
        ),
        (
            "a trailing brace",
            br#"{"csr": "x"}}"#.to_vec(),
            "trailing characters at line 1 column 13",
        ),
        (
            "two objects",
            br#"{"csr": "x"}{"csr": "y"}"#.to_vec(),
            "trailing characters at line 1 column 13",
        ),
        (
            "text after the object",
            b"{} regards".to_vec(),
            "trailing characters at line 1 column 4",
        ),
        (
            "a NUL after the object",
            b"{}\0".to_vec(),
            "trailing characters at line 1 column 3",
        ),
        (
            "single quotes",
            b"{'csr': 'x'}".to_vec(),
            "key must be a string at line 1 column 2",
        ),
        (
            "a key without quotes",
            b"{csr: 1}".to_vec(),
            "key must be a string at line 1 column 2",
        ),
        (
            "a number for a key",
            b"{1: 1}".to_vec(),
            "key must be a string at line 1 column 2",
        ),
        (
            "a line comment",
            b"{// x\n}".to_vec(),
            "key must be a string at line 1 column 2",
        ),
        (
            "a block comment",
            b"{/* x */}".to_vec(),
            "key must be a string at line 1 column 2",
        ),
        (
            "a hash comment",
            b"{# x\n}".to_vec(),
            "key must be a string at line 1 column 2",
        ),
        (
            "NaN",
            br#"{"csr": NaN}"#.to_vec(),
            "expected value at line 1 column 9",
        ),
        (
            "Infinity",
            br#"{"csr": Infinity}"#.to_vec(),
            "expected value at line 1 column 9",
        ),
        (
            "minus Infinity",
            br#"{"csr": -Infinity}"#.to_vec(),
            "invalid number at line 1 column 10",
        ),
        (
            "undefined",
            br#"{"csr": undefined}"#.to_vec(),
            "expected value at line 1 column 9",
        ),
        (
            "True",
            br#"{"csr": True}"#.to_vec(),
            "expected value at line 1 column 9",
        ),
        (
            "a number above every float",
            br#"{"csr": 1e999}"#.to_vec(),
            "number out of range at line 1 column 13",
        ),
        (
            "a number with a leading zero",
            br#"{"csr": 01}"#.to_vec(),
            "invalid number at line 1 column 10",
        ),
        (
            "a hexadecimal number",
            br#"{"csr": 0x1}"#.to_vec(),
            "expected `,` or `}` at line 1 column 10",
        ),
        (
            "a number with a plus",
            br#"{"csr": +1}"#.to_vec(),
            "expected value at line 1 column 9",
        ),
        (
            "a bare dot",
            br#"{"csr": .5}"#.to_vec(),
            "expected value at line 1 column 9",
        ),
        (
            "a lone high surrogate",
            br#"{"csr": "\ud800"}"#.to_vec(),
            "unexpected end of hex escape at line 1 column 16",
        ),
        (
            "a lone low surrogate",
            br#"{"csr": "\udc00"}"#.to_vec(),
            "lone leading surrogate in hex escape at line 1 column 15",
        ),
        (
            "two high surrogates",
            br#"{"csr": "\ud800\ud800"}"#.to_vec(),
            "lone leading surrogate in hex escape at line 1 column 21",
        ),
        (
            "a lone surrogate in a key",
            br#"{"\ud800": 1}"#.to_vec(),
            "unexpected end of hex escape at line 1 column 9",
        ),
        (
            "an escape that is none",
            br#"{"csr": "\q"}"#.to_vec(),
            "invalid escape at line 1 column 11",
        ),
        (
            "an escape in hexadecimal",
            br#"{"csr": "\x41"}"#.to_vec(),
            "invalid escape at line 1 column 11",
        ),
        (
            "half an escape",
            br#"{"csr": "\u00"}"#.to_vec(),
            "invalid escape at line 1 column 15",
        ),
        (
            "a raw line feed in a string",
            b"{\"csr\": \"a\nb\"}".to_vec(),
            "control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0",
        ),
        (
            "a raw NUL in a string",
            b"{\"csr\": \"a\0b\"}".to_vec(),
            "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 11",
        ),
        (
            "octets that are not UTF-8",
            b"{\"csr\": \"\xff\xfe\"}".to_vec(),
            "it is not UTF-8",
        ),
        (
            "a surrogate in UTF-8",
            b"{\"csr\": \"\xed\xa0\x80\"}".to_vec(),
            "it is not UTF-8",
        ),
        (
            "an overlong slash",
            b"{\"csr\": \"\xc0\xaf\"}".to_vec(),
            "it is not UTF-8",
        ),
        (
            "arrays 9000 deep",
            deep("[", "]").into(),
            "recursion limit exceeded at line 1 column 135",
        ),
        (
            "objects 9000 deep",
            format!(r#"{{"csr": {}"#, r#"{"x": "#.repeat(9000)).into(),
            "recursion limit exceeded at line 1 column 765",
        ),
        (
            "60000 open brackets",
            format!(r#"{{"csr": {}"#, "[".repeat(60_000)).into(),
            "recursion limit exceeded at line 1 column 135",
        ),
        (
            "60000 open braces",
            "{".repeat(60_000).into(),
            "key must be a string at line 1 column 2",
        ),
        (
            "a key that nobody reads and that is not UTF-8",
            b"{\"\xff\": 1}".to_vec(),
            "it is not UTF-8",
        ),
        (
            "a value that nobody reads and that is not UTF-8",
            b"{\"x\": \"\xff\"}".to_vec(),
            "it is not UTF-8",
        ),
        (
            "a form feed between tokens",
            b"{\x0c}".to_vec(),
            "key must be a string at line 1 column 2",
        ),
        (
            "a no-break space between tokens",
            "{\u{a0}}".into(),
            "key must be a string at line 1 column 2",
        ),
        (
            "a vertical tab before the object",
            b"\x0b{}".to_vec(),
            NO_OBJECT,
        ),
    ];
    rows.into_iter()
        .map(|(name, body, text)| malformed(lab, &format!("JSON: {name}"), &body, text))
        .collect()
}

fn no_object(lab: &Lab) -> Vec<Row> {
    let pem = lab.body(&lab.csr())["csr"].clone();
    let sixteen = |text: &str, octets: fn(u16) -> [u8; 2]| -> Vec<u8> {
        text.encode_utf16().flat_map(octets).collect()
    };
    let fields = json!([pem, "intel-corei7-64", null, null, null, null, {}]).to_string();
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("an array", b"[]".to_vec()),
        ("an array of the fields", fields.into()),
        ("an array around the object", b"[{}]".to_vec()),
        ("a string", br#""csr""#.to_vec()),
        (
            "a long string",
            format!("\"{}\"", "a".repeat(60_000)).into(),
        ),
        ("a number", b"7".to_vec()),
        ("a negative number", b"-0".to_vec()),
        ("true", b"true".to_vec()),
        ("null", b"null".to_vec()),
        ("a word", b"hello".to_vec()),
        ("a PEM block", pem.as_str().unwrap().into()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        (
            "UTF-16, little end first",
            sixteen("{}", u16::to_le_bytes)[1..].to_vec(),
        ),
        ("UTF-16, big end first", sixteen("{}", u16::to_be_bytes)),
        ("UTF-32", b"\0\0\0{\0\0\0}".to_vec()),
        ("XML", b"<csr>x</csr>".to_vec()),
        ("a form", b"csr=x&hardware-id=y".to_vec()),
        ("YAML", b"csr: x\n".to_vec()),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0".to_vec()),
        ("NULs", vec![0; 100]),
        ("random octets", (0..=255).rev().collect()),
        ("a closing brace", b"}".to_vec()),
        ("a prefix against inclusion", b")]}',\n{}".to_vec()),
    ];
    rows.into_iter()
        .map(|(name, body)| malformed(lab, &format!("not an object: {name}"), &body, NO_OBJECT))
        .collect()
}

/// Every field with every type that it does not have.
fn wrong_types(lab: &Lab) -> Vec<Row> {
    let values = [
        ("a number", json!(7)),
        ("a float", json!(1.5)),
        ("true", json!(true)),
        ("an array", json!([])),
        ("an array of strings", json!(["x"])),
        ("an object", json!({})),
        ("a nested object", json!({"a": {"b": ["c"]}})),
    ];
    let mut rows = Vec::new();
    for field in ["csr", "hardware-id", "name", "uuid", "sota-config-dir"] {
        for (kind, value) in &values {
            let octets = lab.bent(|body| body[field] = value.clone());
            let message = format!("Invalid data type for '{field}'");
            rows.push(Row::error(
                format!("{field} is {kind}"),
                octets,
                400,
                &message,
            ));
        }
    }
    for (kind, value) in &values {
        let octets = lab.bent(|body| body["group"] = value.clone());
        let message = "Registration-reference does not support 'group' field";
        rows.push(Row::error(format!("group is {kind}"), octets, 400, message));
    }
    rows.extend(wrong_overrides(lab));
    rows
}

fn wrong_overrides(lab: &Lab) -> Vec<Row> {
    let rows = [
        (
            "a number",
            "7",
            "invalid type: integer `7`, expected an object at line 1 column 14",
        ),
        (
            "true",
            "true",
            "invalid type: boolean `true`, expected an object at line 1 column 17",
        ),
        (
            "null",
            "null",
            "invalid type: null, expected an object at line 1 column 17",
        ),
        (
            "an array",
            "[]",
            "invalid type: sequence, expected an object at line 1 column 15",
        ),
        (
            "a text",
            r#""x""#,
            "a text was found where an object is wanted at line 1 column 16",
        ),
        (
            "an object of numbers",
            r#"{"tls": 7}"#,
            "invalid type: integer `7`, expected an object at line 1 column 22",
        ),
        (
            "an object of null",
            r#"{"tls": null}"#,
            "invalid type: null, expected an object at line 1 column 25",
        ),
        (
            "an object of arrays",
            r#"{"tls": ["a"]}"#,
            "invalid type: sequence, expected an object at line 1 column 22",
        ),
        (
            "an object of texts",
            r#"{"tls": "a"}"#,
            "a text was found where an object is wanted at line 1 column 24",
        ),
        (
            "a value that is a number",
            r#"{"tls": {"a": 1}}"#,
            "invalid type: integer `1`, expected a string at line 1 column 28",
        ),
        (
            "a value that is null",
            r#"{"tls": {"a": null}}"#,
            "invalid type: null, expected a string at line 1 column 31",
        ),
        (
            "a value that is an object",
            r#"{"tls": {"a": {}}}"#,
            "invalid type: map, expected a string at line 1 column 27",
        ),
        (
            "a value that is an array",
            r#"{"tls": {"a": []}}"#,
            "invalid type: sequence, expected a string at line 1 column 27",
        ),
    ];
    rows.into_iter()
        .map(|(name, value, text)| {
            let body = format!(r#"{{"overrides":{value}}}"#);
            malformed(lab, &format!("overrides are {name}"), body.as_bytes(), text)
        })
        .collect()
}

fn missing(lab: &Lab) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, body) in [
        ("nothing", &b""[..]),
        ("blanks", b"   "),
        ("line ends", b"\r\n\r\n"),
    ] {
        let name = format!("a body of {name}");
        rows.push(Row::error(
            name,
            lab.post(body),
            400,
            "Missing request body",
        ));
    }
    for field in ["csr", "hardware-id"] {
        let message = format!("Missing required field '{field}'");
        let without = lab.bent(|body| drop(body.as_object_mut().unwrap().remove(field)));
        rows.push(Row::error(format!("no {field}"), without, 400, &message));
        for (kind, value) in [("null", Value::Null), ("empty", json!(""))] {
            let octets = lab.bent(|body| body[field] = value);
            rows.push(Row::error(
                format!("{field} is {kind}"),
                octets,
                400,
                &message,
            ));
        }
    }
    for (name, key) in [
        ("in capitals", "CSR"),
        ("with a NUL", "csr\0"),
        ("with a blank", " csr"),
        ("in homoglyphs", "сsr"),
    ] {
        let octets = lab.bent(|body| {
            let csr = body.as_object_mut().unwrap().remove("csr").unwrap();
            body[key] = csr;
        });
        let message = "Missing required field 'csr'";
        rows.push(Row::error(
            format!("the key csr {name}"),
            octets,
            400,
            message,
        ));
    }
    let octets = lab.post(b"{}");
    rows.push(Row::error(
        "an empty object",
        octets,
        400,
        "Missing required field 'csr'",
    ));
    rows
}

fn repeated(lab: &Lab) -> Vec<Row> {
    let mut rows = Vec::new();
    for field in [
        "csr",
        "hardware-id",
        "name",
        "uuid",
        "sota-config-dir",
        "group",
    ] {
        let body = format!(r#"{{"{field}":"x","{field}":"y"}}"#);
        let column = 2 * field.len() + 10;
        let text = format!("duplicate field `{field}` at line 1 column {column}");
        rows.push(malformed(
            lab,
            &format!("{field} twice"),
            body.as_bytes(),
            &text,
        ));
    }
    let escaped = br#"{"csr":"x","\u0063sr":"y"}"#;
    let text = "duplicate field `csr` at line 1 column 21";
    rows.push(malformed(
        lab,
        "csr twice, once with an escape",
        escaped,
        text,
    ));
    let overrides = br#"{"overrides":{},"overrides":{}}"#;
    let text = "duplicate field `overrides` at line 1 column 27";
    rows.push(malformed(lab, "overrides twice", overrides, text));
    rows
}

fn sizes(lab: &Lab) -> Vec<Row> {
    let message = "the body has more than 65536 octets";
    let padded = |octets: usize| lab.bent(|body| body["x"] = "a".repeat(octets).into());
    let chunks = |count: usize| {
        let chunk = format!("4000\r\n{}\r\n", "a".repeat(0x4000));
        let body = format!("{}0\r\n\r\n", chunk.repeat(count));
        let lines = [
            "Content-Type: application/json",
            "Transfer-Encoding: chunked",
        ];
        lab.request(&lines, body.as_bytes())
    };
    vec![
        Row::error("64 KiB and a little", padded(65_536), 413, message),
        Row::error("1 MiB", padded(1 << 20), 413, message),
        Row::error("20 MB", padded(20_000_000), 413, message),
        Row::error("80 KiB in chunks", chunks(5), 413, message),
        Row::error("4 MiB in chunks", chunks(256), 413, message),
    ]
}

/// Odd, and yet what was asked for.
fn taken(lab: &Lab) -> Vec<Row> {
    let certificate = |name: &str, bend: &dyn Fn(String) -> String| {
        let csr = lab.csr();
        let body = bend(lab.body(&csr).to_string());
        Row::new(name, lab.post(body.as_bytes()), Wanted::Certificate(csr))
    };
    let more = |text: &str| move_in(text.to_owned());
    vec![
        certificate(
            "5000 unknown keys",
            &more(
                &(0..5000)
                    .map(|n| format!("\"k{n}\":1,"))
                    .collect::<String>(),
            ),
        ),
        certificate(
            "an unknown key with 30 KB",
            &more(&format!("\"x\":\"{}\",", "a".repeat(30_000))),
        ),
        certificate("an unknown key 5000 times", &more(&"\"x\":1,".repeat(5000))),
        certificate("an empty key", &more("\"\":1,")),
        certificate("__proto__", &more("\"__proto__\":{\"csr\":\"x\"},")),
        certificate(
            "an unknown number above every integer",
            &more(&format!("\"x\":{},", "9".repeat(400) + "e-300")),
        ),
        certificate(
            "an unknown array 100 deep",
            &more(&format!("\"x\":{}{},", "[".repeat(100), "]".repeat(100))),
        ),
        certificate(
            "optional fields that are null",
            &more("\"name\":null,\"uuid\":null,\"sota-config-dir\":null,\"group\":null,"),
        ),
        certificate(
            "optional fields that are empty",
            &more("\"name\":\"\",\"uuid\":\"\",\"sota-config-dir\":\"\",\"overrides\":\"\","),
        ),
        certificate("white space around the body", &|body| {
            format!(" \r\n\t{body}\r\n\t ")
        }),
        certificate("escapes in every key", &|body| {
            body.replace("\"csr\"", "\"\\u0063\\u0073\\u0072\"")
        }),
        certificate("slashes with escapes", &|body| body.replace('/', "\\/")),
        certificate("carriage returns in the PEM", &|body| {
            body.replace("\\n", "\\r\\n")
        }),
        certificate("PEM on one line", &|body| body.replace("\\n", "")),
    ]
}

/// Puts members before the others.
fn move_in(text: String) -> impl Fn(String) -> String {
    move |body| body.replacen('{', &format!("{{{text}"), 1)
}

fn malformed(lab: &Lab, name: &str, body: &[u8], text: &str) -> Row {
    let message = "the body is not the JSON object that is wanted";
    Row::error(name, lab.post(body), 400, message).field("body", text)
}

const NO_OBJECT: &str = "it is no object";
