//! Settlement: money in and out, trades of a day.
