package value

// Tetraplet says where a value comes from: the peer, the service and the function that made it, and
// the path (lens) that was taken into it since.
type Tetraplet struct {
	PeerPK       string `json:"peer_pk"`
	ServiceID    string `json:"service_id"`
	FunctionName string `json:"function_name"`
	Lens         string `json:"lens"`
}

// AppendJSON writes the text that the content id of a tetraplet is computed from.
func (t *Tetraplet) AppendJSON(dst []byte) []byte {
	dst = AppendQuoted(append(dst, `{"peer_pk":`...), t.PeerPK)
	dst = AppendQuoted(append(dst, `,"service_id":`...), t.ServiceID)
	dst = AppendQuoted(append(dst, `,"function_name":`...), t.FunctionName)
	dst = AppendQuoted(append(dst, `,"lens":`...), t.Lens)
	return append(dst, '}')
}
