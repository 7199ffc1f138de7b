//! Certificate serial numbers.

use std::fmt;

use crate::hex;

/// The serial number of a certificate: a positive integer, big-endian, without leading zero octets.
///
/// RFC 5280 section 4.1.2.2 allows at most 20 octets. Serials made here keep to that; serials read from
/// certificates of other tools may have 21 (fioctl wrote many of those) and are still read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(Vec<u8>);

impl Serial {
    /// Makes a serial of exactly `octets` octets from that many random ones.
    ///
    /// The first octet is forced into 0x40–0x7f, so the number is positive and its DER length is always the same;
    /// `8 × octets − 2` bits stay random. `None` unless `random` holds 9 to 20 octets (64 random bits are the floor).
    pub fn from_random(random: &[u8]) -> Option<Serial> {
        if !(9..=MAX_OCTETS).contains(&random.len()) {
            return None;
        }
        let mut octets = random.to_vec();
        octets[0] = octets[0] & 0x3f | 0x40;
        Some(Serial(octets))
    }

    /// Takes the content octets of a DER INTEGER; `None` for zero, negative numbers and more than 21 octets.
    pub fn from_der_content(content: &[u8]) -> Option<Serial> {
        let negative = content.first().is_none_or(|first| *first >= 0x80);
        let significant: Vec<u8> = content.iter().copied().skip_while(|o| *o == 0).collect();
        let readable = !negative && !significant.is_empty() && content.len() <= MAX_OCTETS + 1;
        readable.then_some(Serial(significant))
    }

    /// Reads hexadecimal digits, with or without colons between octets, as OpenSSL prints them.
    pub fn from_hex(text: &str) -> Option<Serial> {
        let octets = hex::decode(&text.replace(':', ""))?;
        let significant: Vec<u8> = octets.into_iter().skip_while(|o| *o == 0).collect();
        (!significant.is_empty() && significant.len() <= MAX_OCTETS + 1)
            .then_some(Serial(significant))
    }

    /// The number's octets, big-endian, no leading zeros.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

/// RFC 5280 section 4.1.2.2: "Conforming CAs MUST NOT use serialNumber values longer than 20 octets".
const MAX_OCTETS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_serials_have_a_fixed_positive_length() {
        for first in [0x00, 0x3f, 0x80, 0xff] {
            let serial = Serial::from_random(&[first; 16]).unwrap();
            assert_eq!(serial.as_bytes().len(), 16);
            assert!((0x40..0x80).contains(&serial.as_bytes()[0]));
        }
        assert_eq!(Serial::from_random(&[1; 8]), None);
        assert_eq!(Serial::from_random(&[1; 21]), None);
    }

    #[test]
    fn serials_of_other_tools_are_read() {
        let mut content = vec![0x00, 0xff];
        content.extend([7; 19]);
        let serial = Serial::from_der_content(&content).unwrap();
        assert_eq!(serial.as_bytes().len(), 20);
        assert_eq!(Serial::from_hex(&serial.to_string()), Some(serial));
        assert!(Serial::from_der_content(&[0x7f; 21]).is_some());
        assert_eq!(Serial::from_der_content(&[0x7f; 22]), None);
        assert_eq!(Serial::from_der_content(&[0]), None);
        assert_eq!(Serial::from_der_content(&[0xff]), None);
    }
}
