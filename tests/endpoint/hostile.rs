//! Requests that nobody sends by mistake, and what has to come of each: an error in JSON below 500, or a certificate
//! that is right in every octet; and the endpoint signs for the next one.

mod bodies;
mod certificate;
mod connections;
mod forgeries;
mod formats;
mod frames;
mod framing;
mod http;
mod http2;
mod keys;
mod mutated;
mod rows;
mod settings;
mod slow;
mod strangers;
mod subjects;
mod tokens;

use std::collections::BTreeSet;

use rows::{Lab, Row};

#[test]
fn hostile_requests_get_an_error_or_a_correct_certificate_and_the_next_device_is_served() {
    let lab = Lab::open("");
    let tables: [Vec<Row>; 9] = [
        bodies::rows(&lab),
        forgeries::rows(&lab),
        formats::rows(&lab),
        framing::rows(&lab),
        http::rows(&lab),
        keys::rows(&lab),
        settings::rows(&lab),
        subjects::rows(&lab),
        tokens::rows(&lab),
    ];
    let rows: Vec<Row> = tables.into_iter().flatten().collect();
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names.len(), rows.len(), "two rows have one name");
    assert!(rows.len() >= 800, "{} rows", rows.len());
    lab.run(&rows);
    lab.assert_small(60);
    lab.end();
}
