//! Progress of long work: a bar on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::session::Session;
use crate::text::Text;

/// A bar over so many steps, or a counter when their number is unknown.
pub fn bar(session: &Session<'_>, work: &Text, steps: Option<u64>) -> ProgressBar {
    if !session.shows_progress() {
        return ProgressBar::with_draw_target(steps, ProgressDrawTarget::hidden());
    }
    let bar = ProgressBar::with_draw_target(steps, ProgressDrawTarget::stderr());
    let template = match steps {
        Some(_) => "{msg} {bar:32} {human_pos}/{human_len} {per_sec} {eta}",
        None => "{msg} {human_pos} {per_sec}",
    };
    let style = ProgressStyle::with_template(template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(work.get(session.lang()).to_owned());
    bar
}
