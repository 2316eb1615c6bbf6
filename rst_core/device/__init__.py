"""How and where tensors are computed: precision, several processes, random generators."""
