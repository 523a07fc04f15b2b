package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"mishap"
	"mishap/internal/vault"
)

// Parameters is a vault in the Parameter Store of an account in a region: its texts
// are secure strings below one path.
type Parameters struct {
	place Place
	path  string // begins with "/", and does not end with one
	key   string // of KMS; empty: the account's own for parameters
}

// Parameters is the vault at a path in the place.
func (p Place) Parameters(path, key string) *Parameters {
	return &Parameters{place: p, path: path, key: key}
}

// Create writes a parameter that is not there yet.
func (p *Parameters) Create(ctx context.Context, name, text string) error {
	return p.put(ctx, name, text, false)
}

// Put writes a parameter.
func (p *Parameters) Put(ctx context.Context, name, text string) error {
	return p.put(ctx, name, text, true)
}

func (p *Parameters) put(ctx context.Context, name, text string, overwrite bool) error {
	input := &ssm.PutParameterInput{
		Name: p.name(name), Value: aws.String(text), Type: types.ParameterTypeSecureString, Tier: types.ParameterTierStandard, Overwrite: aws.Bool(overwrite),
		Description: aws.String("What reverts an experiment of mishap; `mishap sweep` does, and removes it."),
	}
	if p.key != "" {
		input.KeyId = aws.String(p.key)
	}
	if overwrite {
		ctx = Reverting(ctx) // nothing waits for the claims of others: neither undo nor that a run lives
	}
	_, err := newSSM(p.place.Config).PutParameter(ctx, input)
	if errorCode(err) == "ParameterAlreadyExists" {
		return fmt.Errorf("create parameter %s: %w", *input.Name, vault.ErrExists)
	}
	return p.explain("write parameter "+*input.Name, err)
}

// Delete removes parameters, ten in a call.
func (p *Parameters) Delete(ctx context.Context, names ...string) error {
	const most = 10
	var problems []error
	for some := range slices.Chunk(names, most) {
		input := &ssm.DeleteParametersInput{}
		for _, name := range some {
			input.Names = append(input.Names, *p.name(name))
		}
		_, err := newSSM(p.place.Config).DeleteParameters(Reverting(ctx), input)
		problems = append(problems, p.explain("delete parameters below "+p.path, err))
	}
	return errors.Join(problems...)
}

// Get reads a parameter.
func (p *Parameters) Get(ctx context.Context, name string) (vault.Item, error) {
	out, err := newSSM(p.place.Config).GetParameter(ctx, &ssm.GetParameterInput{Name: p.name(name), WithDecryption: aws.Bool(true)})
	if errorCode(err) == "ParameterNotFound" {
		return vault.Item{}, fmt.Errorf("read parameter %s: %w", *p.name(name), vault.ErrAbsent)
	}
	if err != nil {
		return vault.Item{}, p.explain("read parameter "+*p.name(name), err)
	}
	return p.item(*out.Parameter), nil
}

// List reads the parameters below a folder. The time is what the answer says that it
// is.
func (p *Parameters) List(ctx context.Context, folder string, page func([]vault.Item, time.Time) error) error {
	input := &ssm.GetParametersByPathInput{Path: p.name(folder), Recursive: aws.Bool(true), WithDecryption: aws.Bool(true), MaxResults: aws.Int32(10)}
	for {
		out, err := newSSM(p.place.Config).GetParametersByPath(ctx, input)
		if err != nil {
			return p.explain("read parameters below "+*input.Path, err)
		}
		now, told := middleware.GetServerTime(out.ResultMetadata)
		if !told {
			now = time.Now()
		}
		var items []vault.Item
		for _, one := range out.Parameters {
			items = append(items, p.item(one))
		}
		if err := page(items, now); err != nil {
			return err
		}
		if input.NextToken = out.NextToken; aws.ToString(out.NextToken) == "" {
			return nil
		}
	}
}

func (p *Parameters) name(name string) *string { return aws.String(p.path + "/" + name) }

func (p *Parameters) item(one types.Parameter) vault.Item {
	return vault.Item{
		Name: strings.TrimPrefix(aws.ToString(one.Name), p.path+"/"), Text: aws.ToString(one.Value), Written: aws.ToTime(one.LastModifiedDate),
	}
}

// VaultNeeds is what the credentials must allow in a place for its vault: the
// parameters below the path, and the key if it is not the account's own, which lets
// everybody in the account who may use parameters.
func VaultNeeds(at mishap.Place, path, key string) []mishap.Statement {
	arn := func(service, resource string) string {
		return fmt.Sprintf("arn:%s:%s:%s:%s:%s", Partition(at.Region), service, at.Region, at.Account, resource)
	}
	all := []mishap.Statement{{Actions: vaultActions(), Resources: []string{arn("ssm", "parameter"+path+"/*")}}}
	if key == "" {
		return all
	}
	use := mishap.Statement{Actions: []string{"kms:Encrypt", "kms:Decrypt"}, Resources: []string{key}}
	switch {
	case strings.HasPrefix(key, "alias/"):
		use.Resources = []string{arn("kms", "key/*")}
		use.Conditions = map[string]map[string][]string{"ForAnyValue:StringEquals": {"kms:ResourceAliases": {key}}}
	case !strings.HasPrefix(key, "arn:"):
		use.Resources = []string{arn("kms", "key/"+key)}
	}
	return append(all, use)
}

// vaultActions are those on the parameters.
func vaultActions() []string {
	return []string{"ssm:PutParameter", "ssm:DeleteParameters", "ssm:GetParameter", "ssm:GetParametersByPath"}
}

// explain says what was called for, and what to do where a vault needs something
// else than other calls do.
func (p *Parameters) explain(what string, err error) error {
	if err == nil {
		return nil
	}
	hint := p.hint(err)
	if hint == "" {
		hint = cmp.Or(mishap.HintOf(err), "check the network, and that there is Systems Manager in "+p.place.Region)
	}
	return mishap.WithHint(Failed(what, err), hint+"; or turn the vault off with `vault: none` in the settings")
}

func (p *Parameters) hint(err error) string {
	code, words := errorCode(err), said(err)
	switch {
	case strings.HasPrefix(code, "InvalidKeyId"), strings.Contains(words, "kms:"), strings.Contains(words, "KMS"):
		return "the key " + cmp.Or(p.key, "alias/aws/ssm") + " must be there and enabled, and allow kms:Encrypt and kms:Decrypt; or choose another with `vaultKey`"
	case denied(code) && !policy.MatchString(words) || denied(code) && strings.Contains(words, "no identity-based policy"):
		need := VaultNeeds(mishap.Place{Account: p.place.Account, Region: p.place.Region}, p.path, "")[0]
		return fmt.Sprintf("grant %s on %s", strings.Join(need.Actions, ", "), need.Resources[0])
	case code == "ParameterLimitExceeded":
		return "this region has as many parameters as its quota: remove some, or ask AWS for more; `mishap sweep` removes what lost runs left"
	case Throttled(err):
		return "others write parameters of this account and region too: try again, or turn on higher throughput of Parameter Store"
	}
	return ""
}

// newSSM makes the client where it is called: as a part of what an interface holds,
// all of its methods would be linked.
func newSSM(c aws.Config) *ssm.Client { return ssm.NewFromConfig(c) }
