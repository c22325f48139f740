//! Reading and writing the files that users name.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::CliError;
use crate::text;

/// Largest JSON file that is read, in bytes.
pub const JSON_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Reads the text of a file; `-` is standard input.
pub fn read_text(path: &Path) -> Result<String, CliError> {
    if path == Path::new("-") {
        return std::io::read_to_string(std::io::stdin())
            .map_err(|error| CliError::file(path, &error));
    }
    let length = fs::metadata(path).map_err(|error| CliError::file(path, &error))?.len();
    if length > JSON_FILE_BYTES_MAX {
        let path = path.display();
        return Err(CliError::user(text!(
            "{path} has more than {JSON_FILE_BYTES_MAX} bytes",
            "{path} 超过 {JSON_FILE_BYTES_MAX} 字节"
        )));
    }
    fs::read_to_string(path).map_err(|error| CliError::file(path, &error))
}

/// Reads the bytes of a file; `-` is standard input.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |error: std::io::Error| CliError::file(path, &error);
    let mut bytes = Vec::new();
    let read = match path == Path::new("-") {
        true => std::io::stdin().take(JSON_FILE_BYTES_MAX).read_to_end(&mut bytes),
        false => fs::File::open(path)
            .and_then(|file| file.take(JSON_FILE_BYTES_MAX).read_to_end(&mut bytes)),
    };
    read.map_err(failed)?;
    Ok(bytes)
}

/// Writes a new file; refuses to overwrite.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let file = fs::OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(|error| CliError::file(path, &error))
}

/// Reads a JSON file; says where it is wrong.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, CliError> {
    parse_json(&read_text(path)?, path)
}

/// Reads the text of a JSON file; says where it is wrong.
pub fn parse_json<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, CliError> {
    serde_json::from_str(text).map_err(|error| {
        let path = path.display();
        CliError::user(text!("{path}: {error}", "{path}：{error}"))
    })
}

/// Writes a new JSON file; refuses to overwrite.
pub fn write_new_json(path: &Path, value: &impl Serialize) -> Result<(), CliError> {
    let json = json_pretty(value)?;
    write_new(path, json.as_bytes())
}

/// Replaces a JSON file whole or not at all.
pub fn replace_json(path: &Path, value: &impl Serialize) -> Result<(), CliError> {
    let json = json_pretty(value)?;
    crate::keys::replace_file(path, json.as_bytes())
        .map_err(|error| crate::keys::key_error(&path.display().to_string(), error))
}

/// A JSON document for people, with a line end.
pub fn json_pretty(value: &impl Serialize) -> Result<String, CliError> {
    let mut json = serde_json::to_string_pretty(value).map_err(|error| {
        CliError::bug(text!("a document is no JSON: {error}", "文档无法写成 JSON：{error}"))
    })?;
    json.push('\n');
    Ok(json)
}
