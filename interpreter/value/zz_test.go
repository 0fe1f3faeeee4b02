package value_test
import ("testing";"os";"bufio";"encoding/json";"github.com/aquanode/aquanode/interpreter/value")
func TestZZ(t *testing.T){
 f,_:=os.Open("/tmp/exp/js.jsonl"); s:=bufio.NewScanner(f); s.Buffer(nil,1<<20); n,bad:=0,0
 for s.Scan(){ var v jsonVector; json.Unmarshal(s.Bytes(),&v); n++
  got,err:=value.Parse(v.In)
  if (err!=nil)!=(v.Error!="") || err!=nil&&err.Error()!=v.Error || err==nil&&got.Text()!=v.Canonical { bad++; if bad<30 {t.Errorf("%q: got %s %v want %s %s",v.In,got.Text(),err,v.Canonical,v.Error)}}
 }
 t.Log(n,bad)
}
