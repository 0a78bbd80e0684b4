/// Namespace marker until the module's first type lands.
enum Placeholder {}
