package fault

// Code is a row of the table: a code that a run may end with.
type Code struct {
	Number  int64
	Name    string
	Meaning string
	Remedy  string
	Texts   []*Text
}

// Text is one of the texts of a code, in the form of package fmt.
type Text struct {
	Format string
	code   *Code
}

// Table has all codes in their order.
var Table []*Code

// row adds a code to the table.
func row(number int64, name, meaning, remedy string) *Code {
	c := &Code{Number: number, Name: name, Meaning: meaning, Remedy: remedy}
	Table = append(Table, c)
	return c
}

// text adds a text to a code.
func (c *Code) text(format string) *Text {
	t := &Text{Format: format, code: c}
	c.Texts = append(c.Texts, t)
	return t
}

// The first catchable and the first uncatchable code. Codes below cannot be met by a script: the
// input was refused.
const (
	firstCatchable   = 10000
	firstUncatchable = 20000
)

// Catchable reports whether scripts can catch the faults of a code.
func Catchable(code int64) bool { return code < firstUncatchable }

// Kind says what a run that ends with the code leaves behind.
func (c *Code) Kind() string {
	switch {
	case c.Number < firstCatchable:
		return "input refused"
	case c.Number < firstUncatchable:
		return "catchable"
	case c.Number == CodeUnusedResults:
		return "after the run"
	}
	return "uncatchable"
}

// versions are the last lines of texts about damaged data.
const versions = "\nAquaVM version is %s and it expects %s version."

const sent = "Nothing of it was used. If it happens with one peer only, that peer is broken or hostile; " +
	"else start the particle again."

// Refused input: the data stays as it was, nobody is asked for anything.
var (
	parse = row(1, "Parse", "The script is not AIR.",
		"Run 'aquanode air fmt' on the script: it shows the line and a hint.")
	_ = parse.text("air can't be parsed:\n%s")

	archive = row(2, "Archive", "The data of the particle is damaged, or of a format this peer does not know.",
		sent+" The versions in the text are those of the published interpreter that this one equals: the first is "+
			"the interpreter's, the second the data format's. All aquanodes have the same ones; a peer with others has "+
			"to be upgraded.")
	Archive = archive.text("an error occurred while data deserialization: Data(%v)." + versions)

	envelope = row(3, "Envelope", "The envelope around the data is damaged.", sent+
		" For the versions in the text see 2.")
	Envelope = envelope.text("an error occurred while envelope deserialization: Envelope(%s)." + versions)

	dataVersion = row(4, "NoArchive", "The envelope names its versions but has no data that can be read.",
		"Compare the versions in the text: the first two are this peer's, the last two those of whoever made the data. "+
			"Upgrade the older one.")
	NoArchive = dataVersion.text("an error occurred while data deserialization: Envelope(%s).\n" +
		"AquaVM's version is %s and it expects data of %s version.\n" +
		"Supplied data version is %s, it's produced by AquaVM of %s version.")

	callResults = row(5, "CallResults", "The host gave results of calls that cannot be read.",
		"This is a fault of the host program. It only happens with the cold form, which takes results as bytes.")
	CallResults = callResults.text("error occurred while deserialize call results: %v.")

	version = row(6, "Version", "The data was made by an interpreter that is too old.",
		"Upgrade the peer that sent the data.")
	Version = version.text("supplied data was produced by `%s` version of interpreter, " +
		"but minimum `%s` version is required")

	key = row(7, "Key", "The key that this peer signs with cannot be used.",
		"Give the 32 bytes of an Ed25519 seed.")
	KeySecp256k1 = key.text("malformed keypair format: signature algorithm Secp256k1 not whitelisted")
	KeyPrefix    = key.text("malformed keypair format: invalid key data: Invalid type prefix")
	KeyLength    = key.text("malformed keypair format: invalid key data: Failed to decode, " +
		"invalid length: could not convert slice to array")

	store = row(8, "Store", "Content ids in the data do not fit what they stand for.",
		sent)
	BadCID         = store.text("%v")
	ValueMismatch  = store.text("Value mismatch in the %q store for CID %q")
	NoReference    = store.text("Reference CID %q from type %q to %q was not found")
	NoResult       = store.text("the trace has the result %q, which is in no store")
	NoResultOrigin = store.text("the result %q has the tetraplet %q, which is in no store")

	signature = row(9, "Signature", "Keys, signatures or the results that they sign do not fit.",
		sent)
	BadKey            = signature.text("malformed key: %q: %s")
	NoKey             = signature.text("peer_id doens't match any available public key: %q")
	SignatureMismatch = signature.text("signature mismatch for %q: %s, values: CIDS: %s")
	Inconsistent      = signature.text("inconsistent CID multisets on merge for peer %q, prev: %v, current: %v")

	sizeLimit = row(10, "SizeLimit", "A script, a particle or a result is larger than the host allows.",
		"Send less, or raise the limit of the host.")
	ScriptSize   = sizeLimit.text("air size: %d bytes is bigger than the limit allowed: %d bytes")
	ParticleSize = sizeLimit.text("Current_data particle size: %d bytes is bigger than the limit allowed: %d bytes")
	ResultSize   = sizeLimit.text("Call result size is bigger than the limit allowed: %d bytes")
)

// Catchable faults.
var (
	service = row(10000, "Service", "A service answered a call with an error.",
		"Read the error in the text; it is the service's own. Catch it with xor (try in Aqua) if the script can do without.")
	ServiceError = service.text("Local service error, ret_code is %d, error message is '%s'")

	match = row(10001, "Match", "The two sides of a match differ.",
		"Put the match into an xor whose second branch says what to do then.")
	Unequal = match.text("compared values do not match")

	mismatch = row(10002, "Mismatch", "The two sides of a mismatch are equal.",
		"Put the mismatch into an xor whose second branch says what to do then.")
	Equal = mismatch.text("compared values do not mismatch")

	undefined = row(10003, "Undefined", "A fail was given a variable without a value. All other instructions wait for it.",
		"Set the variable before, on every way that leads to the fail.")
	Undefined = undefined.text("variable with name '%s' wasn't defined during script execution")

	notIterable = row(10005, "NotIterable", "A fold was given a value that is not an array.",
		"Look at the value in the text: the service returned another type than the script expects.")
	NotIterable = notIterable.text("expression '%s' returned non-array value '%s' for fold iterable")

	fail = row(10006, "Fail", "The script raised an error with fail, and nothing caught it.",
		"Read the error object in the text.")
	Fail = fail.text("fail with '%s' is used without corresponding xor")

	lens = row(10007, "Lens", "A lens does not fit the value that it is applied to.",
		"Look at the value in the text: it lacks the field or the element, or is of another type than the script expects.")
	FewElements    = lens.text("lambda is applied to a stream that have only '%d' elements, but '%d' requested")
	FieldOfStream  = lens.text("field accessor (with field name = '%s') can't be applied to a stream")
	IndexNotU32    = lens.text("index accessor `%s can't be converted to u32`")
	IndexNotNumber = lens.text("stream accessor `%s` should has number (u32) type")
	KeyIsIterator  = lens.text("canon stream map accessor must not be iterable")
	KeyType        = lens.text("canon stream map accessor `%s` should be either string or number")
	AccessorType   = lens.text("scalar accessor `%s` should has number or string type")
	NotArray       = lens.text("value '%s' is not an array-type to match array accessor with idx = '%d'")
	NoElement      = lens.text("value '%s' does not contain element for idx = '%d'")
	NotObject      = lens.text("value '%s' is not an map-type to match field accessor with field_name = '%s'")
	NoField        = lens.text("value '%s' does not contain element with field name = '%s'")

	errorObject = row(10008, "ErrorObject", "A fail was given a value that is not an error object.",
		`Give an object with an integer "error_code" other than 0 and a string "message".`)
	ErrorNotObject   = errorObject.text("scalar should have an object type to be converted into error object, but '%s' doesn't have")
	ErrorNoField     = errorObject.text("scalar '%s' must have field with name '%s'")
	ErrorCodeType    = errorObject.text("error_code of scalar '%s' must have integer type")
	ErrorCodeZero    = errorObject.text("error code must be non-zero, but it is zero")
	ErrorMessageType = errorObject.text("message of scalar '%s' must have string type")

	clearedRow = row(10009, "Cleared", "A variable was renewed by new and not set since.",
		"Set the variable inside the new before it is used.")
	Cleared = clearedRow.text("variable with name '%s' was cleared by new and then wasn't set")

	length = row(10010, "Length", "The length of a value was asked for that is not an array.",
		"Look at the value in the text: the service returned another type than the script expects.")
	Length = length.text("the length functor could applied only to an array-like value, but it's applied to '%s'")

	tripletType = row(10011, "TripletType", "The peer, the service or the function of a call, or the peer of a canon, is not a string.",
		"Look at the variable and the value in the text.")
	TripletType = tripletType.text("call cannot resolve non-String triplet variable part `%s` with value '%s'")

	mapKey = row(10012, "MapKey", "A key of a map is neither a string nor an integer.",
		"Use a string or an integer.")
	MapKey = mapKey.text("unsupported type for %s map's key")
)

const foreign = "The data was made by another script, or was altered: one particle has one script. "

// Uncatchable faults: the data stays as it was, nobody is asked for anything.
var (
	trace = row(20000, "Trace", "The states in the data are not those of the script.",
		foreign+"If the script is the same, report it with the data.")
	Trace = trace.text("on instruction '%s' trace handler encountered an error: %v")

	generation = row(20001, "Generation", "A value of a stream stands for a state that has no generation.",
		foreign+"If the script is the same, report it with the data.")
	Generation = generation.text("trying to change generation of a state %s on %d position, the state doesn't contain generation")

	noFold = row(20003, "NoFold", "A next stands outside of the fold of its iterator, or runs after that fold has ended.",
		"Move the next into the body of the fold.")
	NoFold = noFold.text("fold state not found for this iterable '%s'")

	iteratorShadow = row(20004, "IteratorShadow", "A call or canon writes to a variable that is an iterator now.",
		"Give the output another name.")
	IteratorShadow = iteratorShadow.text("variable with name '%s' can't be shadowed, shadowing isn't supported for iterables")

	iteratorTwice = row(20005, "IteratorTwice", "A name is an iterator twice at the same time, or an iterator and a variable.",
		"Give each fold inside of another one an iterator of its own.")
	IteratorTwice       = iteratorTwice.text("multiple iterable values found for iterable name '%s'")
	IteratorAndVariable = iteratorTwice.text("'%s' is both a variable and an iterator")

	resultKind = row(20006, "ResultKind", "A result in the data has another kind of output than its call.",
		foreign)
	ResultKind = resultKind.text("call result value %s doesn't match with corresponding instruction")

	shadow = row(20007, "Shadow", "A variable is set that has a value.",
		"Outside of folds a variable is set once. Use another name, or new.")
	Shadow = shadow.text("trying to shadow variable '%s', but shadowing is allowed only inside fold blocks")

	newScope = row(20008, "NewScope", "A new ends where its variable was not begun.",
		"Report it with the script and the data.")
	NewScope = newScope.text("new end block tries to pop up a variable '%s' that wasn't defined at depth %d")

	missingCID = row(20010, "MissingCID", "A content id in the data stands for nothing, or for something that is not JSON.",
		sent)
	MissingCID = missingCID.text("%s for CID %s not found")
	NotJSON    = missingCID.text("stored value is not JSON: %v")

	failedValue = row(20012, "FailedValue", "The error of a service in the data is not of the form that errors have.",
		sent)
	FailedValue = failedValue.text("failed to deserialize to CallServiceFailed: invalid type: %s %s, expected struct CallServiceFailed")

	streamSize = row(20013, "StreamSize", "A stream has 1024 values or more.",
		"Collect fewer values, or several in one array.")
	StreamSize = streamSize.text("stream size goes over the allowed limit of %d")

	mapPair = row(20014, "MapPair", "An element of a map in the data is not a pair of a key and a value.",
		sent)
	PairType    = mapPair.text("the value must be an object with key and value fields")
	PairKeyType = mapPair.text("unsupported kvpair object or map key type")
	PairNoValue = mapPair.text(`there must be a "value" field in kvpair object`)

	missingScalar = row(20016, "MissingScalar", "The canon of a map into a scalar has no element in the data.",
		sent)
	MissingScalar = missingScalar.text("can not find JValue to produce scalar from")

	parameters = row(20017, "Parameters", "A result in the data is of a call with other arguments, or of another peer, service or function.",
		"A peer of the particle computed other arguments from the same data: it is broken or hostile, or its version differs. "+
			"If all peers are aquanodes of one version, report it with the data.")
	OtherArguments   = parameters.text("call argument_hash doesn't match expected parameters: expected %s, got %s ")
	NoArguments      = parameters.text("call argument_hash doesn't match expected parameters: expected %s, got none: an argument has no value ")
	OtherCall        = parameters.text("call tetraplet doesn't match expected parameters: expected %s, got %s ")
	OtherCanon       = parameters.text("canon tetraplet doesn't match expected parameters: expected %s, got %s ")
	StrayResult      = parameters.text("a result came for a call whose arguments have no values")
	ExecutedTooEarly = parameters.text("a call was executed whose arguments have no values")
)

// Faults that the published interpreter does not have, and the one after a run.
var (
	stopped = row(29000, "Stopped", "The run was stopped: by its host, by the end of its context, or at its limit of instructions.",
		"Nothing of the run is lost: it can be made again. If it is the limit, make the script do less in one run, or raise the limit.")
	Stopped   = stopped.text("execution was stopped: %v")
	StepLimit = stopped.text("execution was stopped after %d instructions, the limit is %d")

	valueSize = row(29001, "ValueSize", "A value made by the script, or the data of the particle, is too large.",
		"Split the values over several particles, or raise the limit of the host.")
	StreamValueSize = valueSize.text("a value made of a stream goes over the limit of 256 MiB")
	DataSize        = valueSize.text("the data of the particle goes over the limit of %d bytes")

	unusedResults = row(30000, "UnusedResults", "The host gave results for calls that the script did not make.",
		"This is a fault of the host program. What the run did stays.")
	UnusedResults = unusedResults.text("after finishing execution of supplied AIR, " +
		"there are some unprocessed call results: `{%s}`, probably a wrong call_id used")
)

// Faults without arguments, each of them made once.
var (
	NoMatch       = Unequal.constant()
	NoMismatch    = Equal.constant()
	ValueTooLarge = StreamValueSize.constant()
)
