//! The text itself: sections in their order, keys in theirs.

use std::fmt;

use super::value::Value;

/// A TOML document of tables with scalars in them. Names must be bare keys.
#[derive(Default)]
pub struct Document(Vec<Section>);

struct Section {
    name: String,
    lines: Vec<(String, Value)>,
}

impl Document {
    /// Appends a section with these texts.
    pub fn add<const N: usize>(&mut self, section: &str, texts: [(&str, String); N]) {
        self.open(section);
        for (key, text) in texts {
            self.set(section, key, Value::Text(text));
        }
    }

    /// Makes sure that a section is there.
    pub fn open(&mut self, section: &str) {
        if self.find(section).is_none() {
            self.0.push(Section {
                name: section.to_owned(),
                lines: Vec::new(),
            });
        }
    }

    /// Replaces a key where it stands, or appends it. The section must be there.
    pub fn set(&mut self, section: &str, key: &str, value: Value) {
        let Some(section) = self.find(section) else {
            return;
        };
        match section.lines.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => *known = value,
            None => section.lines.push((key.to_owned(), value)),
        }
    }

    fn find(&mut self, section: &str) -> Option<&mut Section> {
        self.0.iter_mut().find(|known| known.name == section)
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, section) in self.0.iter().enumerate() {
            let gap = if number == 0 { "" } else { "\n" };
            writeln!(f, "{gap}[{}]", section.name)?;
            for (key, value) in &section.lines {
                match value {
                    Value::Unset => writeln!(f, "# {key} is not set")?,
                    value => writeln!(f, "{key} = {value}")?,
                }
            }
        }
        Ok(())
    }
}
