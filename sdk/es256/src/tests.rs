mod bounds;
mod generator;
mod oracle;
