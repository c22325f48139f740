//! A certificate as a PDF: a page in Chinese, a page in English, and the JSON inside it.
//!
//! The pages are for people. What counts is the JSON, and [`CertificateFile::verify`] draws the
//! pages of a file that this version of the program wrote once more and compares every byte, so
//! that they cannot say anything else. The last line of the file holds a digest of all before it,
//! which shows damage whichever version wrote it.
//!
//! [`CertificateFile::verify`]: super::CertificateFile::verify

use krilla::Document;
use krilla::SerializeSettings;
use krilla::embed::{AssociationKind, EmbeddedFile, MimeType};
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla::surface::Surface;
use krilla::text::{Font, TextDirection};
use qrcode::{Color, EcLevel, QrCode};

use super::compliance::UnitsLine;
use super::shown::{cancellation_facts, compliance_facts, ledger_facts, title};
use super::{Certificate, CertificateError, FORMAT, Subject};
use crate::output::Cell;
use crate::text;
use crate::text::{Lang, Text};

/// First bytes of a PDF file.
pub const PDF_START: &[u8] = b"%PDF-";
/// Name of the attachment.
const ATTACHMENT: &str = "certificate.json";
/// Begins the last line of the file.
const SEAL: &str = "%cets-certificate-page ";
/// Version that draws.
const VERSION: &str = env!("CARGO_PKG_VERSION");
static FONT: &[u8] = include_bytes!("../../fonts/NotoSansSC-Regular-GB2312.otf");

// An A4 page in points; whole numbers, so that every machine draws the same.
const PAGE: (u16, u16) = (595, 842);
const LEFT: u16 = 56;
const VALUES_LEFT: u16 = 200;
const TOP: u16 = 84;
/// Below it stand the code and the words beside it.
const FOOT: u16 = 668;
const LINE: u16 = 15;
const MODULE: u16 = 2;
const WORDS_LEFT: u16 = 194;
/// Width of a value and of a line of the foot, in hundredths of the size of its letters.
const VALUE_WIDTH: u32 = 3_800;
const FOOT_WIDTH: u32 = 4_300;

/// Draws a certificate.
pub fn to_pdf(certificate: &Certificate) -> Result<Vec<u8>, CertificateError> {
    let failed = |reason: String| CertificateError::Page { reason };
    let lost = || failed("the font of the program cannot be read".to_owned());
    let font = Font::new(FONT.into(), 0).ok_or_else(lost)?;
    let mut document = Document::new_with(SerializeSettings::default());
    for lang in [Lang::Zh, Lang::En] {
        let size = (f32::from(PAGE.0), f32::from(PAGE.1));
        let settings = PageSettings::from_wh(size.0, size.1).ok_or_else(lost)?;
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        draw(&mut surface, &font, certificate, lang)?;
        surface.finish();
        page.finish();
    }
    let name = title(&certificate.certifies);
    let metadata = Metadata::new()
        .title(format!("{} / {}", name.get(Lang::Zh), name.get(Lang::En)))
        .producer(format!("cets {VERSION}"));
    document.set_metadata(metadata);
    let attachment = EmbeddedFile {
        path: ATTACHMENT.to_owned(),
        mime_type: MimeType::new("application/json"),
        description: Some(format!("{FORMAT}: what the pages say, with its proof")),
        association_kind: AssociationKind::Source,
        data: certificate.to_json().into_bytes().into(),
        modification_date: None,
        compress: Some(false),
        location: None,
    };
    document.embed_file(attachment).ok_or_else(lost)?;
    let mut bytes = document.finish().map_err(|error| failed(format!("{error:?}")))?;
    seal(&mut bytes);
    Ok(bytes)
}

/// What is found in a PDF before anything is verified.
pub struct Found {
    /// The JSON of the certificate.
    pub json: String,
    /// Version of the program that drew the pages.
    pub version: String,
}

/// Finds the certificate in a PDF that nothing has changed since it was written.
pub fn read_pdf(bytes: &[u8]) -> Result<Found, CertificateError> {
    let failed = |reason: &str| CertificateError::Page { reason: reason.to_owned() };
    let version = sealed_by(bytes).ok_or_else(|| {
        failed("the PDF file was changed: its last line does not hold the digest of the rest")
    })?;
    let start = format!("{{\n  \"format\": \"{FORMAT}\"");
    let at = bytes.windows(start.len()).position(|window| window == start.as_bytes());
    let rest = at.and_then(|at| bytes.get(at..));
    let rest = rest.ok_or_else(|| failed("the PDF file holds no certificate"))?;
    let mut values =
        serde_json::Deserializer::from_slice(rest).into_iter::<serde::de::IgnoredAny>();
    let whole = values.next().is_some_and(|value| value.is_ok());
    let json = rest.get(..values.byte_offset()).filter(|_| whole);
    let json = json.and_then(|json| core::str::from_utf8(json).ok());
    let json = json.ok_or_else(|| failed("the certificate in the PDF file cannot be read"))?;
    Ok(Found { json: format!("{json}\n"), version })
}

/// Whether pages can be compared: this version draws them the same.
pub fn draws(version: &str) -> bool {
    version == VERSION
}

fn seal(bytes: &mut Vec<u8>) {
    if !bytes.ends_with(b"\n") {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(format!("{SEAL}{VERSION} blake3 ").as_bytes());
    let digest = blake3::hash(bytes);
    bytes.extend_from_slice(format!("{digest}\n").as_bytes());
}

/// The version in the last line, if the digest there is that of everything before it.
fn sealed_by(bytes: &[u8]) -> Option<String> {
    let body = bytes.strip_suffix(b"\n")?;
    let (sealed, digest) = body.split_at_checked(body.len().checked_sub(64)?)?;
    if blake3::hash(sealed).to_string().as_bytes() != digest {
        return None;
    }
    let last = sealed.rsplit(|byte| *byte == b'\n').next()?;
    let line = core::str::from_utf8(last).ok()?.strip_prefix(SEAL)?;
    line.strip_suffix(" blake3 ").map(str::to_owned)
}

fn draw(
    surface: &mut Surface<'_>,
    font: &Font,
    certificate: &Certificate,
    lang: Lang,
) -> Result<(), CertificateError> {
    let mut pen = Pen { surface, font, at: TOP };
    pen.write(LEFT, 22, title(&certificate.certifies).get(lang));
    pen.at = pen.at.saturating_add(34);
    let (facts, lines) = match &certificate.certifies {
        Subject::Compliance(shown) => {
            (compliance_facts(shown), shown.allowances.iter().chain(&shown.reductions).collect())
        }
        Subject::Cancellation(shown) => {
            (cancellation_facts(shown), shown.units.iter().collect::<Vec<_>>())
        }
    };
    pen.facts(&facts, lang);
    pen.units(&lines, lang);
    pen.at = FOOT;
    pen.code(certificate)?;
    pen.foot(certificate, lang);
    Ok(())
}

/// Writes from the top of a page to its foot.
struct Pen<'a, 'b> {
    surface: &'a mut Surface<'b>,
    font: &'a Font,
    at: u16,
}

impl Pen<'_, '_> {
    fn write(&mut self, left: u16, size: u8, text: &str) {
        let point = Point::from_xy(f32::from(left), f32::from(self.at));
        let font = self.font.clone();
        self.surface.draw_text(point, font, f32::from(size), text, false, TextDirection::Auto);
    }

    fn next_line(&mut self) {
        self.at = self.at.saturating_add(LINE);
    }

    fn facts(&mut self, facts: &[(Text, Cell)], lang: Lang) {
        for (name, value) in facts {
            self.write(LEFT, 9, name.get(lang));
            for line in wrapped(&value.for_people(lang), VALUE_WIDTH) {
                self.write(VALUES_LEFT, 9, &line);
                self.next_line();
            }
        }
    }

    /// The units, as many as there is room for.
    fn units(&mut self, lines: &[&UnitsLine], lang: Lang) {
        self.at = self.at.saturating_add(8);
        let ranges: Vec<_> = lines
            .iter()
            .flat_map(|line| line.ranges.iter().map(|range| range.to_string()))
            .collect();
        for (index, range) in ranges.iter().enumerate() {
            // The line before the foot says how many are left out.
            if self.at.saturating_add(LINE.saturating_mul(2)) > FOOT
                && index.saturating_add(1) < ranges.len()
            {
                let more = ranges.len().saturating_sub(index);
                let more = text!(
                    "and {more} more ranges, in the attached {ATTACHMENT}",
                    "另有 {more} 个区间，见附件 {ATTACHMENT}"
                );
                self.write(VALUES_LEFT, 9, more.get(lang));
                return;
            }
            if index == 0 {
                self.write(LEFT, 9, text!("units", "单位编码").get(lang));
            }
            self.write(VALUES_LEFT, 9, range);
            self.next_line();
        }
    }

    /// The code: which ledger, block and certificate.
    fn code(&mut self, certificate: &Certificate) -> Result<(), CertificateError> {
        let failed = |reason: &str| CertificateError::Page { reason: reason.to_owned() };
        let code = QrCode::with_error_correction_level(code_text(certificate), EcLevel::M)
            .map_err(|_| failed("the code of the page is too long"))?;
        let mut path = PathBuilder::new();
        let mut modules = code.to_colors().into_iter();
        for row in 0..u16::try_from(code.width()).unwrap_or(u16::MAX) {
            for column in 0..u16::try_from(code.width()).unwrap_or(u16::MAX) {
                if modules.next() != Some(Color::Dark) {
                    continue;
                }
                let (x, y) = (column.saturating_mul(MODULE), row.saturating_mul(MODULE));
                let (x, y) = (x.saturating_add(LEFT), y.saturating_add(self.at));
                let side = f32::from(MODULE);
                path.push_rect(
                    Rect::from_xywh(f32::from(x), f32::from(y), side, side)
                        .ok_or_else(|| failed("the code of the page has no room"))?,
                );
            }
        }
        if let Some(path) = path.finish() {
            self.surface.draw_path(&path);
        }
        Ok(())
    }

    /// The words beside the code.
    fn foot(&mut self, certificate: &Certificate, lang: Lang) {
        self.at = self.at.saturating_add(8);
        for (name, value) in ledger_facts(certificate) {
            let colon = text!(": ", "：");
            let (name, value) = (name.get(lang), value.for_people(lang));
            let line = format!("{name}{}{value}", colon.get(lang));
            for line in wrapped(&line, FOOT_WIDTH) {
                self.write(WORDS_LEFT, 8, &line);
                self.at = self.at.saturating_add(12);
            }
        }
        let words = text!(
            "This page is for people. Its proof is in this file; verify it offline with the \
             genesis file: cets verify FILE.pdf --genesis GENESIS. The code names ledger, block \
             and certificate.",
            "本页供人阅读，证据在本文件内；可凭创世文件离线核验：cets verify 文件.pdf --genesis \
             创世文件。二维码标明账本、区块与证书摘要。"
        );
        self.at = self.at.saturating_add(4);
        for line in wrapped(words.get(lang), FOOT_WIDTH) {
            self.write(WORDS_LEFT, 8, &line);
            self.at = self.at.saturating_add(12);
        }
    }
}

/// What the code on the page says.
pub fn code_text(certificate: &Certificate) -> String {
    let Certificate { chain_id, height, block_id, .. } = certificate;
    let digest = certificate.digest();
    format!("{FORMAT} chain={chain_id} height={height} block={block_id} blake3={digest}")
}

/// A text in lines of at most a width, broken at spaces where there are any.
fn wrapped(text: &str, width_max: u32) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut width = 0u32;
    for character in text.chars() {
        let own = if character.is_ascii() { 58 } else { 100 };
        if width.saturating_add(own) > width_max {
            let rest = match line.rsplit_once(' ') {
                Some((before, rest)) if !before.is_empty() => {
                    let rest = rest.to_owned();
                    line.truncate(before.len());
                    rest
                }
                _ => String::new(),
            };
            lines.push(std::mem::replace(&mut line, rest));
            width = line.chars().map(|known| if known.is_ascii() { 58u32 } else { 100 }).sum();
        }
        line.push(character);
        width = width.saturating_add(own);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_broken_at_spaces_and_nothing_is_lost() {
        let text = "one two three four";
        assert_eq!(wrapped(text, 58 * 9), ["one two", "three", "four"]);
        assert_eq!(wrapped("", 100), [""]);
        let digits = "0123456789".repeat(7);
        let lines = wrapped(&digits, VALUE_WIDTH);
        assert_eq!(lines.concat(), digits);
        assert!(lines.len() > 1);
        assert_eq!(wrapped("碳排放配额清缴", 300), ["碳排放", "配额清", "缴"]);
    }

    #[test]
    fn a_seal_covers_every_byte_before_it() {
        let mut bytes = b"%PDF-1.7 and so on".to_vec();
        seal(&mut bytes);
        assert_eq!(sealed_by(&bytes).as_deref(), Some(VERSION));
        for position in 0..bytes.len() {
            let mut other = bytes.clone();
            other[position] ^= 1;
            assert_eq!(sealed_by(&other), None, "byte {position}");
        }
        assert_eq!(sealed_by(b"\n"), None);
    }
}
