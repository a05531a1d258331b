//! What the tests of each API ask of its model.

use super::*;

impl Model {
    /// Whether every name is one of a shape or a member, and every pattern compiles.
    pub(in crate::api) fn assert_whole(&self, operations: usize) {
        let Tables { operations: inputs, shapes } = &self.tables;
        assert_eq!(inputs.len(), operations);
        let members = |shape: &Shape| shape.members.clone();
        let of_members: Vec<String> = shapes.values().flat_map(members).map(|(_, of)| of).collect();
        for shape in inputs.values().chain(&of_members) {
            assert!(shapes.contains_key(shape), "{shape}");
        }
        for (name, Shape { pattern, member, key, value, .. }) in shapes {
            for of in [member, key, value] {
                assert!(of.is_empty() || shapes.contains_key(of), "{name}");
            }
            if let Some(pattern) = pattern {
                assert!(Regex::new(&format!("^(?:{pattern})$")).is_ok(), "{name}: {pattern}");
            }
        }
        for (structure, members) in self.supported {
            let found = &shapes[*structure].members;
            let missing = members.iter().filter(|member| found.iter().all(|(name, _)| name != *member));
            // The two names of Firehose's backup are each in one of two structures.
            assert!(missing.clone().count() <= 1, "{structure}: {:?}", missing.collect::<Vec<_>>());
        }
    }

    /// The maximum of a shape.
    pub(in crate::api) fn max(&self, shape: &str) -> Option<usize> {
        self.tables.shapes[shape].max.and_then(|max| usize::try_from(max).ok())
    }
}
