//! Subjects that claim more than a device may, or in another way than devices do.

use super::rows::{Lab, Row, Wanted};
use crate::build::*;

type Attribute<'a> = (&'a str, u8, &'a [u8]);

pub fn rows(lab: &Lab) -> Vec<Row> {
    let mut rows = of_other_factories(lab);
    rows.extend(refused(lab));
    rows.extend(admitted(lab));
    rows
}

/// The reference server's text names the factory found.
fn of_other_factories(lab: &Lab) -> Vec<Row> {
    let long = "f".repeat(9000);
    [
        ("another factory", "other-factory", "other-factory"),
        ("capitals", "Demo-Factory", "Demo-Factory"),
        ("a blank at the end", "demo-factory ", "demo-factory "),
        ("a blank before", " demo-factory", " demo-factory"),
        ("nothing", "", ""),
        ("a Cyrillic letter", "dеmo-factory", "dеmo-factory"),
        ("another hyphen", "demo\u{2010}factory", "demo‐factory"),
        ("a soft hyphen", "demo-\u{ad}factory", "demo-\\u{ad}factory"),
        (
            "a zero-width space",
            "demo-factory\u{200b}",
            "demo-factory\\u{200b}",
        ),
        (
            "an override to the left",
            "\u{202e}yrotcaf-omed",
            "\\u{202e}yrotcaf-omed",
        ),
        (
            "an isolate",
            "\u{2066}demo-factory\u{2069}",
            "\\u{2066}demo-factory\\u{2069}",
        ),
        (
            "a combining mark",
            "demo-factory\u{301}",
            "demo-factory\u{301}",
        ),
        (
            "a byte order mark",
            "\u{feff}demo-factory",
            "\\u{feff}demo-factory",
        ),
        ("a NUL", "demo-factory\0", "demo-factory\\0"),
        (
            "a NUL and more",
            "demo-factory\0.evil",
            "demo-factory\\0.evil",
        ),
        (
            "a line feed",
            "demo-factory\nissued request=1",
            "demo-factory\\nissued request=1",
        ),
        (
            "an escape",
            "\u{1b}[2Jdemo-factory",
            "\\u{1b}[2Jdemo-factory",
        ),
        (
            "a second factory after a comma",
            "demo-factory, OU=evil",
            "demo-factory, OU=evil",
        ),
        ("a format string", "{}%s%n${x}", "{}%s%n${x}"),
        ("quotes", "\"demo-factory\"", "\\\"demo-factory\\\""),
        ("9000 letters", &long, &format!("{}…", "f".repeat(80))),
        ("an emoji", "🏭", "🏭"),
    ]
    .into_iter()
    .map(|(row, factory, shown)| {
        let csr = signed(device_name(&lab.device(), factory));
        let message = format!("Invalid factory({shown}) must be demo-factory");
        Row::error(format!("OU: {row}"), post(lab, &csr), 400, &message)
    })
    .collect()
}

fn refused(lab: &Lab) -> Vec<Row> {
    let uuid = lab.device();
    let cn: Attribute<'_> = (CN, UTF8, uuid.as_bytes());
    let ou: Attribute<'_> = (OU, UTF8, FACTORY.as_bytes());
    let production: Attribute<'_> = (BUSINESS_CATEGORY, UTF8, b"production");
    let evil: Attribute<'_> = (O, UTF8, b"evil");
    let named = |tag, text: &[u8]| name(&[(CN, tag, text), ou]);
    let category = |tag, text: &[u8]| name(&[cn, ou, (BUSINESS_CATEGORY, tag, text)]);
    let factory = |tag, text: &[u8]| name(&[cn, (OU, tag, text)]);
    let wide: Vec<u8> = uuid.bytes().flat_map(|byte| [0, byte]).collect();
    let again = |what: &str, value: &str| {
        format!("the subject's {what} is there again, or out of order, as `{value}`, {ORDER}")
    };
    let missing =
        |what: &str, found: &str| format!("the subject's {what} is missing{found}, {ORDER}");
    let there =
        |what: &str, value: &str| format!("the subject's {what} is there as {value}, {ORDER}");
    let of_type =
        |what: &str, found: &str| format!("the subject's {what} is {found}, wanted is {STRINGS}");
    let no_uuid = |shown: &str| {
        format!("the subject's CN is `{shown}`, wanted is a UUID (8-4-4-4-12 hexadecimal digits)")
    };
    let unclean = |shown: &str| {
        format!("the subject's CN is `{shown}`, wanted is text without control characters")
    };
    let other = |shown: &str| {
        format!("the subject's businessCategory is `{shown}`, wanted is `production`")
    };
    let length = |what: &str, found: usize, most: usize| {
        format!("the subject's {what} is {found} characters long, wanted is 1 to {most} characters")
    };
    let crowded = "is in an RDN with another attribute, wanted is an RDN of its own";
    let not_a_name = "not a certification request in DER: the subject is not a name".to_owned();
    let constructed = tlv(
        SEQUENCE,
        &[&tlv(
            SET,
            &[&tlv(
                SEQUENCE,
                &[&oid(CN), &tlv(0x2c, &[&tlv(UTF8, &[uuid.as_bytes()])])],
            )],
        )],
    );
    let many: Vec<Attribute<'_>> = std::iter::repeat_n(cn, 200).collect();
    let rows: Vec<(&str, Vec<u8>, String)> = vec![
        ("nothing", name(&[]), missing("CN", "")),
        ("a CN alone", name(&[cn]), missing("OU", "")),
        (
            "an OU alone",
            name(&[ou]),
            missing("CN", " where OU stands"),
        ),
        (
            "OU before CN",
            name(&[ou, cn]),
            missing("CN", " where OU stands"),
        ),
        (
            "a second CN",
            name(&[cn, ou, (CN, UTF8, b"root")]),
            again("CN", "root"),
        ),
        (
            "a second CN beside the first",
            name(&[cn, cn, ou]),
            missing("OU", " where CN stands"),
        ),
        ("200 CNs", name(&many), missing("OU", " where CN stands")),
        (
            "a second OU",
            name(&[cn, ou, (OU, UTF8, b"evil")]),
            again("OU", "evil"),
        ),
        ("an O", name(&[cn, ou, evil]), there("O", "`evil`")),
        (
            "an O in between",
            name(&[cn, evil, ou]),
            missing("OU", " where O stands"),
        ),
        (
            "an O of 9000 letters",
            name(&[cn, ou, (O, UTF8, &[b'a'; 9000])]),
            there("O", &format!("`{}…`", "a".repeat(80))),
        ),
        (
            "a title",
            name(&[cn, ou, ("2.5.4.12", UTF8, b"boss")]),
            there("2.5.4.12", "`boss`"),
        ),
        (
            "an e-mail address",
            name(&[cn, ou, ("1.2.840.113549.1.9.1", IA5, b"a@b")]),
            there("1.2.840.113549.1.9.1", "`a@b`"),
        ),
        (
            "a domain",
            name(&[cn, ou, ("0.9.2342.19200300.100.1.25", IA5, b"com")]),
            there("0.9.2342.19200300.100.1.25", "`com`"),
        ),
        (
            "an attribute nobody can read",
            name(&[cn, ou, (O, BMP, b"\0e")]),
            there("O", "(unreadable)"),
        ),
        (
            "a multi-valued RDN",
            crowded_name(&[cn, ou]),
            format!("the subject's OU {crowded}"),
        ),
        (
            "a CN with a CN in one RDN",
            [name(&[])[..0].to_vec(), crowded_name(&[cn, cn])].concat(),
            missing("OU", " where CN stands"),
        ),
        (
            "production before OU",
            name(&[cn, production, ou]),
            missing("OU", " where businessCategory stands"),
        ),
        (
            "production twice",
            name(&[cn, ou, production, production]),
            again("businessCategory", "production"),
        ),
        (
            "a serialNumber",
            name(&[cn, ou, ("2.5.4.5", PRINTABLE, b"1")]),
            there("serialNumber", "`1`"),
        ),
        (
            "a CN that is a word",
            named(UTF8, b"dev-0042"),
            no_uuid("dev-0042"),
        ),
        (
            "a CN that is a host",
            named(UTF8, b"gateway.example"),
            no_uuid("gateway.example"),
        ),
        ("a CN that is a star", named(UTF8, b"*"), no_uuid("*")),
        (
            "a UUID in braces",
            named(UTF8, format!("{{{uuid}}}").as_bytes()),
            no_uuid(&format!("{{{uuid}}}")),
        ),
        (
            "a UUID with urn:uuid:",
            named(UTF8, format!("urn:uuid:{uuid}").as_bytes()),
            no_uuid(&format!("urn:uuid:{uuid}")),
        ),
        (
            "a UUID with a blank",
            named(UTF8, format!("{uuid} ").as_bytes()),
            no_uuid(&format!("{uuid} ")),
        ),
        (
            "a UUID without hyphens",
            named(UTF8, uuid.replace('-', "").as_bytes()),
            no_uuid(&uuid.replace('-', "")),
        ),
        (
            "a UUID in full-width digits",
            named(UTF8, uuid.replace('4', "４").as_bytes()),
            no_uuid(&uuid.replace('4', "４")),
        ),
        (
            "a UUID in Arabic digits",
            named(UTF8, uuid.replace('4', "٤").as_bytes()),
            no_uuid(&uuid.replace('4', "٤")),
        ),
        (
            "a UUID with a letter beyond f",
            named(UTF8, uuid.replace('4', "g").as_bytes()),
            no_uuid(&uuid.replace('4', "g")),
        ),
        (
            "a path in the CN",
            named(UTF8, b"../../etc/passwd"),
            no_uuid("../../etc/passwd"),
        ),
        (
            "a path after the UUID",
            named(UTF8, format!("{uuid}/../x").as_bytes()),
            no_uuid(&format!("{uuid}/../x")),
        ),
        (
            "SQL in the CN",
            named(UTF8, b"' OR 1=1; --"),
            no_uuid("\\' OR 1=1; --"),
        ),
        (
            "a format string in the CN",
            named(UTF8, b"{}{:?}%n%s"),
            no_uuid("{}{:?}%n%s"),
        ),
        (
            "a look-up in the CN",
            named(UTF8, b"${jndi:ldap://x/a}"),
            no_uuid("${jndi:ldap://x/a}"),
        ),
        (
            "an override to the left in the CN",
            named(UTF8, "\u{202e}bb".as_bytes()),
            no_uuid("\\u{202e}bb"),
        ),
        (
            "a NUL after the UUID",
            named(UTF8, format!("{uuid}\0").as_bytes()),
            unclean(&format!("{uuid}\\0")),
        ),
        (
            "a NUL within the UUID",
            named(UTF8, uuid.replacen('4', "\0", 1).as_bytes()),
            unclean(&uuid.replacen('4', "\\0", 1)),
        ),
        (
            "a NUL in an IA5String",
            named(IA5, format!("{uuid}\0").as_bytes()),
            unclean(&format!("{uuid}\\0")),
        ),
        (
            "a line feed in the CN",
            named(UTF8, format!("{uuid}\nWARN forged").as_bytes()),
            unclean(&format!("{uuid}\\nWARN forged")),
        ),
        (
            "an escape in the CN",
            named(UTF8, b"\x1b[2J"),
            unclean("\\u{1b}[2J"),
        ),
        (
            "a CN of no characters",
            named(UTF8, b""),
            length("CN", 0, 64),
        ),
        (
            "a CN of 65 characters",
            named(UTF8, &[b'a'; 65]),
            length("CN", 65, 64),
        ),
        (
            "a CN of 11000 characters",
            named(UTF8, &[b'a'; 11_000]),
            length("CN", 11_000, 64),
        ),
        (
            "a CN in UTF-16",
            named(BMP, &wide),
            of_type("CN", "a BMPString"),
        ),
        ("a CN in UTF-32", named(0x1c, &wide), not_a_name.clone()),
        (
            "a CN in T.61",
            named(TELETEX, uuid.as_bytes()),
            of_type("CN", "a TeletexString"),
        ),
        (
            "a CN that is a NumericString",
            named(0x12, uuid.as_bytes()),
            of_type("CN", "a NumericString"),
        ),
        (
            "a CN that is a VisibleString",
            named(0x1a, uuid.as_bytes()),
            of_type("CN", "a VisibleString"),
        ),
        (
            "a CN that is an OCTET STRING",
            named(OCTET_STRING, uuid.as_bytes()),
            of_type("CN", "no string"),
        ),
        (
            "a CN that is an INTEGER",
            named(INTEGER, &[1]),
            of_type("CN", "no string"),
        ),
        (
            "a CN that is a SEQUENCE",
            named(SEQUENCE, &[]),
            of_type("CN", "no string"),
        ),
        (
            "a CN that is no UTF-8",
            named(UTF8, b"\xff\xfe"),
            of_type("CN", "a UTF8String that is not UTF-8"),
        ),
        (
            "a CN that is a surrogate",
            named(UTF8, b"\xed\xa0\x80"),
            of_type("CN", "a UTF8String that is not UTF-8"),
        ),
        (
            "an OU with an underscore in a PrintableString",
            factory(PRINTABLE, b"demo_factory"),
            of_type(
                "OU",
                "a PrintableString with characters that type does not have",
            ),
        ),
        (
            "an OU with an accent in an IA5String",
            factory(IA5, "démo".as_bytes()),
            of_type("OU", "an IA5String with characters that type does not have"),
        ),
        (
            "an OU in T.61",
            factory(TELETEX, FACTORY.as_bytes()),
            of_type("OU", "a TeletexString"),
        ),
        (
            "an OU that is NULL",
            factory(NULL, b""),
            of_type("OU", "no string"),
        ),
        (
            "a category that is evil",
            category(UTF8, b"evil"),
            other("evil"),
        ),
        (
            "a category with a capital",
            category(UTF8, b"Production"),
            other("Production"),
        ),
        (
            "a category with a blank",
            category(UTF8, b"production "),
            other("production "),
        ),
        (
            "a category with a Cyrillic letter",
            category(UTF8, "prоduction".as_bytes()),
            other("prоduction"),
        ),
        (
            "a category with a zero-width joiner",
            category(UTF8, "production\u{200d}".as_bytes()),
            other("production\\u{200d}"),
        ),
        (
            "a category of no characters",
            category(UTF8, b""),
            length("businessCategory", 0, 128),
        ),
        (
            "a category of 129 characters",
            category(UTF8, &[b'p'; 129]),
            length("businessCategory", 129, 128),
        ),
        (
            "a category in UTF-16",
            category(BMP, b"\0p"),
            of_type("businessCategory", "a BMPString"),
        ),
        ("a string of strings", constructed, not_a_name.clone()),
        (
            "a name that is a SET",
            [&[SET], &device_name(&uuid, FACTORY)[1..]].concat(),
            not_a_name,
        ),
    ];
    rows.into_iter()
        .map(|(row, subject, text)| {
            Row::csr(format!("subject: {row}"), post(lab, &signed(subject)), text)
        })
        .collect()
}

/// Every form a device might write, kept octet for octet.
fn admitted(lab: &Lab) -> Vec<Row> {
    let strings = |cn: u8, ou: u8| {
        let device = lab.device();
        name(&[(CN, cn, device.as_bytes()), (OU, ou, FACTORY.as_bytes())])
    };
    let production = |tag: u8| {
        let device = lab.device();
        name(&[
            (CN, UTF8, device.as_bytes()),
            (OU, UTF8, FACTORY.as_bytes()),
            (BUSINESS_CATEGORY, tag, b"production"),
        ])
    };
    let upper = device_name("ABCDEFAB-CDEF-4ABC-8DEF-ABCDEFABCDEF", FACTORY);
    let mixed = device_name("aBcDeFaB-0000-4ABC-8DEF-ABCDEFABCDEF", FACTORY);
    let nil = device_name("00000000-0000-0000-0000-000000000000", FACTORY);
    let all = device_name("ffffffff-ffff-ffff-ffff-ffffffffffff", FACTORY);
    let mut rows: Vec<Row> = [
        ("PrintableStrings", strings(PRINTABLE, PRINTABLE)),
        ("IA5Strings", strings(IA5, IA5)),
        ("one of each", strings(IA5, PRINTABLE)),
        ("capitals", upper),
        ("capitals and small letters", mixed),
        ("the nil UUID", nil),
        ("the UUID of ones", all),
    ]
    .into_iter()
    .map(|(row, subject)| {
        let csr = signed(subject);
        Row::new(
            format!("subject in {row}"),
            post(lab, &csr),
            Wanted::Certificate(csr),
        )
    })
    .collect();
    for (row, tag) in [("UTF8String", UTF8), ("PrintableString", PRINTABLE)] {
        let csr = signed(production(tag));
        let message = "registrar token `line` may not register production devices";
        rows.push(Row::error(
            format!("production, a {row}"),
            post(lab, &csr),
            403,
            message,
        ));
    }
    rows
}

fn signed(subject: Vec<u8>) -> Vec<u8> {
    let key = Key::new();
    Draft::proper(&key).subject(subject).sign(&key)
}

fn post(lab: &Lab, csr: &[u8]) -> Vec<u8> {
    lab.post(lab.body(csr).to_string().as_bytes())
}

const ORDER: &str = "wanted is CN, OU, businessCategory (optional), in this order and nothing else";
const STRINGS: &str = "a UTF8String, PrintableString or IA5String";
