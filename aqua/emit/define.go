package emit

import (
	"encoding/json"
	"strconv"

	"github.com/aquanode/aquanode/aqua/types"
)

// FunctionDef is the definition of an exported function for clients: they use the types to convert
// arguments and results, and the names to recognize the service calls that they serve.
type FunctionDef struct {
	FunctionName string   `json:"functionName"`
	Arrow        ArrowDef `json:"arrow"`
	Names        NamesDef `json:"names"`
}

// NamesDef are the services and functions that a script calls at its host.
type NamesDef struct {
	Relay            string `json:"relay"`
	GetDataSrv       string `json:"getDataSrv"`
	CallbackSrv      string `json:"callbackSrv"`
	ResponseSrv      string `json:"responseSrv"`
	ResponseFnName   string `json:"responseFnName"`
	ErrorHandlingSrv string `json:"errorHandlingSrv"`
	ErrorFnName      string `json:"errorFnName"`
}

// Names are the names in the scripts of this compiler.
var Names = NamesDef{
	Relay: "-relay-", GetDataSrv: "getDataSrv", CallbackSrv: "callbackSrv", ResponseSrv: "callbackSrv",
	ResponseFnName: "response", ErrorHandlingSrv: "errorHandlingSrv", ErrorFnName: "error",
}

// ServiceDef is the definition of a service; DefaultServiceID is absent if it has none.
type ServiceDef struct {
	DefaultServiceID string     `json:"defaultServiceId,omitempty"`
	Functions        ProductDef `json:"functions"`
}

// ArrowDef is the type of a function.
type ArrowDef struct {
	Tag      string     `json:"tag"`
	Domain   ProductDef `json:"domain"`
	Codomain ProductDef `json:"codomain"`
}

// ProductDef is a list of types: labelledProduct, unlabeledProduct or nil.
type ProductDef struct {
	Tag    string
	Fields []FieldDef // of a labelled product
	Items  []TypeDef  // of an unlabelled one
}

// FieldDef is a named type.
type FieldDef struct {
	Name string
	Type TypeDef
}

// TypeDef is a type: scalar, array, option, struct, topType, bottomType or arrow.
type TypeDef struct {
	Tag    string
	Name   string     // scalar, struct
	Elem   *TypeDef   // array, option
	Fields []FieldDef // struct
	Arrow  *ArrowDef  // arrow
}

// Function defines a function. Its domain is labelled even if it is empty.
func Function(name string, t *types.Arrow) FunctionDef {
	a := arrowDef(t)
	if len(t.Args) == 0 {
		a.Domain = ProductDef{Tag: "labeledProduct"}
	}
	return FunctionDef{FunctionName: name, Arrow: a, Names: Names}
}

// Service defines a service.
func Service(id string, t *types.Struct) ServiceDef {
	functions := ProductDef{Tag: "labeledProduct", Fields: fieldDefs(t.Fields)}
	return ServiceDef{DefaultServiceID: id, Functions: functions}
}

func arrowDef(t *types.Arrow) ArrowDef {
	a := ArrowDef{Tag: "arrow", Domain: ProductDef{Tag: "nil"}, Codomain: ProductDef{Tag: "nil"}}
	if t.Labelled() {
		a.Domain = ProductDef{Tag: "labeledProduct", Fields: fieldDefs(t.Args)}
	} else if len(t.Args) > 0 {
		a.Domain = ProductDef{Tag: "unlabeledProduct"}
		for _, f := range t.Args {
			a.Domain.Items = append(a.Domain.Items, typeDef(f.Type))
		}
	}
	if len(t.Results) > 0 {
		a.Codomain.Tag = "unlabeledProduct"
		for _, r := range t.Results {
			a.Codomain.Items = append(a.Codomain.Items, typeDef(r))
		}
	}
	return a
}

func fieldDefs(fields []types.Field) []FieldDef {
	var list []FieldDef
	for _, f := range fields {
		list = append(list, FieldDef{f.Name, typeDef(f.Type)})
	}
	return list
}

func typeDef(t types.Type) TypeDef {
	elem := func(tag string, t types.Type) TypeDef {
		e := typeDef(t)
		return TypeDef{Tag: tag, Elem: &e}
	}
	switch t := t.(type) {
	case types.Array:
		return elem("array", t.Elem)
	case types.Stream:
		return elem("array", t.Elem)
	case types.Option:
		return elem("option", t.Elem)
	case *types.Struct:
		return TypeDef{Tag: "struct", Name: t.Name, Fields: fieldDefs(t.Fields)}
	case *types.Arrow:
		a := arrowDef(t)
		return TypeDef{Tag: "arrow", Arrow: &a}
	case types.Bottom:
		return TypeDef{Tag: "bottomType"}
	case types.Top, types.Dynamic:
		return TypeDef{Tag: "topType"}
	}
	return TypeDef{Tag: "scalar", Name: t.String()}
}

// MarshalJSON writes the fields in the order of the arguments.
func (p ProductDef) MarshalJSON() ([]byte, error) {
	b := append([]byte(`{"tag":`), strconv.Quote(p.Tag)...)
	var err error
	switch p.Tag {
	case "labeledProduct":
		b, err = appendFields(append(b, `,"fields":`...), p.Fields)
	case "unlabeledProduct":
		var items []byte
		items, err = json.Marshal(p.Items)
		b = append(append(b, `,"items":`...), items...)
	}
	return append(b, '}'), err
}

// MarshalJSON writes the fields that belong to the tag.
func (t TypeDef) MarshalJSON() ([]byte, error) {
	if t.Tag == "arrow" {
		return json.Marshal(t.Arrow)
	}
	b := append([]byte(`{"tag":`), strconv.Quote(t.Tag)...)
	var err error
	switch t.Tag {
	case "scalar":
		b = append(append(b, `,"name":`...), strconv.Quote(t.Name)...)
	case "array", "option":
		var elem []byte
		elem, err = json.Marshal(t.Elem)
		b = append(append(b, `,"type":`...), elem...)
	case "struct":
		b = append(append(b, `,"name":`...), strconv.Quote(t.Name)...)
		b, err = appendFields(append(b, `,"fields":`...), t.Fields)
	}
	return append(b, '}'), err
}

func appendFields(b []byte, fields []FieldDef) ([]byte, error) {
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		t, err := json.Marshal(f.Type)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, strconv.Quote(f.Name)...), ':'), t...)
	}
	return append(b, '}'), nil
}
