//! What weighing has to know of the schema: where fields lead, and which are lists. Read from the
//! schema itself, so that no new list is forgotten.

use crate::limits::{DEFAULT_PAGE, SHORT_LIST};
use crate::schema::schema;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, ServiceDocument, Type, TypeDefinition, TypeKind,
    TypeSystemDefinition,
};
use std::collections::HashMap;
use std::sync::LazyLock;

/// The lists of introspection, which is in every schema but not in its text (GraphQL
/// specification of October 2021, section 4.1).
const INTROSPECTION: &str = "
    type __Schema { types: [__Type] queryType: __Type mutationType: __Type subscriptionType: __Type
        directives: [__Directive] }
    type __Type { fields: [__Field] interfaces: [__Type] possibleTypes: [__Type]
        enumValues: [__EnumValue] inputFields: [__InputValue] ofType: __Type }
    type __Field { args: [__InputValue] type: __Type }
    type __InputValue { type: __Type }
    type __Directive { args: [__InputValue] }
    type Query { __schema: __Schema __type: __Type }";

/// The fields of all objects, by the name of the object.
#[derive(Default)]
pub struct Shape(HashMap<String, HashMap<String, Field>>);

/// A field that leads to something.
pub struct Field {
    /// The type of what it leads to, without lists.
    pub of: String,
    /// How many it leads to.
    pub size: Size,
}

/// How many times what is below a field is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Once; or its rows were counted where the page was asked for.
    One,
    /// A page, whose arguments say how many.
    Page,
    /// As many as there are.
    List,
}

impl Size {
    /// The number to reckon with, where the client asks for `asked` rows.
    pub fn rows(self, asked: Option<u64>) -> u64 {
        match self {
            Self::One => 1,
            Self::Page => asked.unwrap_or(DEFAULT_PAGE),
            Self::List => SHORT_LIST,
        }
    }
}

impl Shape {
    /// That of this program's schema.
    pub fn current() -> &'static Self {
        static CURRENT: LazyLock<Shape> = LazyLock::new(|| {
            let mut shape = Shape::default();
            shape.read(&schema().sdl());
            shape.read(INTROSPECTION);
            shape
        });
        &CURRENT
    }

    /// The field of an object; `None` for what leads nowhere.
    pub fn field(&self, object: &str, field: &str) -> Option<&Field> {
        self.0.get(object)?.get(field)
    }

    /// Both texts are our own; that they are read whole is tested.
    fn read(&mut self, sdl: &str) {
        let Ok(ServiceDocument { definitions }) = parse_schema(sdl) else { return };
        for definition in definitions {
            if let TypeSystemDefinition::Type(definition) = definition {
                self.add(&definition.node);
            }
        }
    }

    fn add(&mut self, definition: &TypeDefinition) {
        let fields = match &definition.kind {
            TypeKind::Object(object) => &object.fields,
            TypeKind::Interface(interface) => &interface.fields,
            _ => return,
        };
        let name = definition.name.node.as_str();
        let is_connection = name.ends_with("Connection");
        let known = self.0.entry(name.to_owned()).or_default();
        known.extend(fields.iter().map(|field| {
            let (name, field) = (field.node.name.node.to_string(), &field.node);
            (name, Field { of: named(&field.ty.node), size: size(field, is_connection) })
        }));
    }
}

fn size(field: &FieldDefinition, of_connection: bool) -> Size {
    let is_page = |name: &str| ["first", "last"].contains(&name);
    if field.arguments.iter().any(|it| is_page(it.node.name.node.as_str())) {
        return Size::Page;
    }
    let is_list = matches!(field.ty.node.base, BaseType::List(_));
    if is_list && !of_connection { Size::List } else { Size::One }
}

fn named(kind: &Type) -> String {
    match &kind.base {
        BaseType::Named(name) => name.to_string(),
        BaseType::List(of) => named(of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(object: &str, field: &str) -> Option<Size> {
        Shape::current().field(object, field).map(|it| it.size)
    }

    #[test]
    fn lists_are_found_in_the_schema_and_in_introspection() {
        assert_eq!(size("Query", "partners"), Some(Size::Page));
        assert_eq!(size("Query", "history"), Some(Size::Page));
        assert_eq!(size("PartnerConnection", "nodes"), Some(Size::One));
        assert_eq!(size("Partner", "certificates"), Some(Size::List));
        assert_eq!(size("Query", "partner"), Some(Size::One));
        assert_eq!(size("Query", "__schema"), Some(Size::One));
        assert_eq!(size("__Type", "fields"), Some(Size::List));
    }

    #[test]
    fn a_page_without_a_number_has_the_default_one() {
        assert_eq!(Size::Page.rows(None), DEFAULT_PAGE);
        assert_eq!(Size::Page.rows(Some(7)), 7);
        assert_eq!(Size::One.rows(Some(7)), 1);
    }
}
