//! Values of orders in scenario lines, and the JSON that they stand for.

use std::iter::Peekable;
use std::str::Chars;

use cets_contracts::rules::RULES;
use cets_contracts::types::{Digest, Instrument, Selection, SerialRange, Thresholds, Tonnes};
use serde_json::{Map, Value, json};

/// What words in values mean at this point of a scenario.
pub trait Words {
    /// The JSON of a name (an account), if it is one.
    fn name(&self, word: &str) -> Option<Value>;
    /// The JSON of `function(arguments)`, for example `people(Power)`.
    fn call(&self, function: &str, arguments: &[String]) -> Option<Value>;
    /// Milliseconds of the next block.
    fn now(&self) -> u64;
}

/// The order of a verb: its example with the named fields replaced.
pub fn order(verb: &str, fields: &str, words: &dyn Words) -> Result<Value, String> {
    let mut parser = Parser { rest: fields.chars().peekable(), words };
    let inner = parser.fields(example(verb)?, None)?;
    parser.end()?;
    Ok(json!({ verb: inner }))
}

fn example(verb: &str) -> Result<Value, String> {
    let rule = RULES.iter().find(|rule| rule.name == verb);
    let rule = rule.ok_or_else(|| format!("{verb} is no rule"))?;
    let payload = serde_json::to_value((rule.example)()).map_err(|error| error.to_string())?;
    Ok(payload[verb].clone())
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    words: &'a dyn Words,
}

impl Parser<'_> {
    fn spaces(&mut self) {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
    }

    fn take(&mut self, wanted: char) -> bool {
        self.spaces();
        self.rest.next_if_eq(&wanted).is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.take(wanted) {
            return Ok(());
        }
        let found: String = self.rest.clone().take(20).collect();
        Err(format!("expected {wanted:?} before {found:?}"))
    }

    fn end(&mut self) -> Result<(), String> {
        self.spaces();
        let rest: String = self.rest.clone().collect();
        if rest.is_empty() { Ok(()) } else { Err(format!("{rest:?} is left over")) }
    }

    fn word(&mut self) -> String {
        self.spaces();
        let mut word = String::new();
        while let Some(c) = self.rest.next_if(|c| !c.is_whitespace() && !"=()[],".contains(*c)) {
            word.push(c);
        }
        word
    }

    /// `name=value …` up to the closing character, over the fields of a template.
    fn fields(&mut self, template: Value, close: Option<char>) -> Result<Value, String> {
        let mut object = match template {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        loop {
            self.spaces();
            match (self.rest.peek(), close) {
                (None, None) => return Ok(Value::Object(object)),
                (Some(next), Some(close)) if *next == close => {
                    self.rest.next();
                    return Ok(Value::Object(object));
                }
                _ => {}
            }
            let name = self.word();
            if !object.contains_key(&name) {
                return Err(format!("{name:?} is no field; there are {:?}", object.keys()));
            }
            self.expect('=')?;
            let template = object.get(&name).cloned().unwrap_or_default();
            let value = self.value(template)?;
            object.insert(name, value);
        }
    }

    fn value(&mut self, template: Value) -> Result<Value, String> {
        if self.take('[') {
            let item = template.get(0).cloned().unwrap_or_default();
            let mut list = Vec::new();
            while !self.take(']') {
                list.push(self.value(item.clone())?);
            }
            return Ok(Value::Array(list));
        }
        if self.take('(') {
            return self.fields(template, Some(')'));
        }
        if self.take('"') {
            let mut text = String::new();
            while let Some(c) = self.rest.next_if(|c| *c != '"') {
                text.push(c);
            }
            self.expect('"')?;
            return Ok(Value::String(text));
        }
        let word = self.word();
        if !self.take('(') {
            return self.atom(&word);
        }
        if RULES.iter().any(|rule| rule.name == word) {
            let inner = self.fields(example(&word)?, Some(')'))?;
            return Ok(json!({ word: inner }));
        }
        let mut arguments = Vec::new();
        while !self.take(')') {
            arguments.push(self.word());
        }
        if word == "each" {
            let people = arguments.first().and_then(|text| text.parse().ok());
            let people = people.ok_or("each(people) needs a number")?;
            return to_json(&Thresholds::uniform(people));
        }
        self.words.call(&word, &arguments).ok_or_else(|| format!("nothing is called {word}()"))
    }

    fn atom(&self, word: &str) -> Result<Value, String> {
        if word == "none" {
            return Ok(Value::Null);
        }
        if let Some(text) = word.strip_prefix('#') {
            return to_json(&Digest::new(*blake3::hash(text.as_bytes()).as_bytes()));
        }
        if let Some(millis) = word.strip_prefix('+') {
            let millis: u64 = millis.parse().map_err(|_| format!("{word} is no time"))?;
            return Ok(json!(self.words.now() + millis));
        }
        if let Some((tonnes, instrument)) = word.split_once('*') {
            let tonnes = tonnes.parse().map_err(|_| format!("{tonnes} is no quantity"))?;
            let units =
                Selection::Quantity { instrument: parse(instrument)?, tonnes: Tonnes::new(tonnes) };
            return to_json(&units);
        }
        if let Some((instrument, ranges)) = word.split_once(':') {
            return to_json(&Selection::Ranges(parse_ranges(parse(instrument)?, ranges)?));
        }
        if let Ok(number) = word.replace('_', "").parse::<i64>() {
            return Ok(json!(number));
        }
        Ok(self.words.name(word).unwrap_or_else(|| Value::String(word.to_owned())))
    }
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<Value, String> {
    serde_json::to_value(value).map_err(|error| error.to_string())
}

/// An instrument from its text form.
pub fn parse(instrument: &str) -> Result<Instrument, String> {
    instrument.parse().map_err(|error| format!("{instrument}: {error}"))
}

/// `1-10+21-30`; nothing at all for no range.
pub fn parse_ranges(instrument: Instrument, text: &str) -> Result<Vec<SerialRange>, String> {
    let parts = text.split('+').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.parse().map_err(|_| format!("{text} is no serial"));
            SerialRange::inclusive(instrument, number(first)?, number(last)?)
                .map_err(|error| format!("{part}: {error}"))
        })
        .collect()
}
