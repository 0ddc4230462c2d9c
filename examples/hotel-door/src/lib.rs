//! A hotel whose doors work without a network: its desk, its doors, and its guests' bands.

pub mod authority;
pub mod desk;
pub mod door;
pub mod evening;
pub mod events;
pub mod files;
pub mod hotel;
pub mod measure;
pub mod picture;
pub mod provider;
pub mod wearer;
