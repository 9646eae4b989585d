"""Files of models on the Hugging Face hub, as published: the fields that say what a model is."""

from __future__ import annotations

from typing import Any

LLAMA3 = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "attention_bias": False,
    "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 8192, "rms_norm_eps": 1e-05,
    "rope_theta": 500000.0, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip
DEEPSEEK = {
    "architectures": ["DeepseekV3ForCausalLM"], "hidden_size": 7168, "num_hidden_layers": 61, "q_lora_rank": 1536,
    "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "intermediate_size": 18432,
    "moe_intermediate_size": 2048, "n_shared_experts": 1, "num_experts_per_tok": 8, "moe_layer_freq": 1,
    "topk_method": "noaux_tc", "scoring_func": "sigmoid", "tie_word_embeddings": False, "num_nextn_predict_layers": 1,
}  # fmt: skip
LLAMA4 = {
    "model_type": "llama4_text", "hidden_size": 5120, "intermediate_size": 8192, "intermediate_size_mlp": 16384,
    "num_hidden_layers": 48, "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 202048,
    "num_experts_per_tok": 1, "attention_chunk_size": 8192, "attention_bias": False, "use_qk_norm": True,
    "tie_word_embeddings": False,
}  # fmt: skip
GEMMA3 = {"model_type": "gemma3_text", "vocab_size": 262144, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}}
FALCON = {
    "architectures": ["FalconForCausalLM"], "model_type": "falcon", "alibi": False, "bias": False, "multi_query": True,
    "parallel_attn": True, "vocab_size": 65024,
}  # fmt: skip

PUBLISHED: dict[str, dict[str, Any]] = {
    "llama3_8b": LLAMA3 | {
        "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_hidden_layers": 32,
    },
    "llama3_3_70b": LLAMA3 | {
        "hidden_size": 8192, "intermediate_size": 28672, "num_attention_heads": 64, "num_hidden_layers": 80,
        "max_position_embeddings": 131072, "head_dim": 128, "mlp_bias": False,
    },
    "llama3_2_1b": LLAMA3 | {
        "hidden_size": 2048, "intermediate_size": 8192, "num_attention_heads": 32, "num_hidden_layers": 16,
        "head_dim": 64, "max_position_embeddings": 131072, "tie_word_embeddings": True,
    },
    "llama4_scout": {
        "architectures": ["Llama4ForConditionalGeneration"], "model_type": "llama4", "text_config": LLAMA4 | {
            "num_local_experts": 16, "interleave_moe_layer_step": 1, "max_position_embeddings": 10485760,
            "no_rope_layers": [int((layer + 1) % 4 != 0) for layer in range(48)],
        },
    },
    "llama4_maverick": {
        "architectures": ["Llama4ForConditionalGeneration"], "model_type": "llama4", "text_config": LLAMA4 | {
            "num_local_experts": 128, "interleave_moe_layer_step": 2, "max_position_embeddings": 1048576,
            "no_rope_layers": [],
        },
    },
    "mistral_7b": {
        "architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_size": 4096, "vocab_size": 32000,
        "intermediate_size": 14336, "max_position_embeddings": 32768, "num_attention_heads": 32, "sliding_window": 4096,
        "num_hidden_layers": 32, "num_key_value_heads": 8, "tie_word_embeddings": False,
    },
    "mixtral_8x7b": {
        "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "hidden_size": 4096, "vocab_size": 32000,
        "intermediate_size": 14336, "max_position_embeddings": 32768, "num_attention_heads": 32, "sliding_window": None,
        "num_hidden_layers": 32, "num_key_value_heads": 8, "num_local_experts": 8, "num_experts_per_tok": 2,
        "tie_word_embeddings": False,
    },
    "qwen2_5_7b": {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944,
        "max_position_embeddings": 131072, "max_window_layers": 28, "num_attention_heads": 28, "num_hidden_layers": 28,
        "num_key_value_heads": 4, "sliding_window": 131072, "use_sliding_window": False, "vocab_size": 152064,
        "tie_word_embeddings": False,
    },
    "qwen3_8b": {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "attention_bias": False, "head_dim": 128,
        "hidden_size": 4096, "intermediate_size": 12288, "max_position_embeddings": 40960, "max_window_layers": 36,
        "num_attention_heads": 32, "num_hidden_layers": 36, "num_key_value_heads": 8, "sliding_window": None,
        "use_sliding_window": False, "vocab_size": 151936, "tie_word_embeddings": False,
    },
    "qwen3_30b_a3b": {
        "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "attention_bias": False, "head_dim": 128,
        "decoder_sparse_step": 1, "hidden_size": 2048, "intermediate_size": 6144, "max_position_embeddings": 40960,
        "mlp_only_layers": [], "moe_intermediate_size": 768, "num_attention_heads": 32, "num_experts": 128,
        "num_experts_per_tok": 8, "num_hidden_layers": 48, "num_key_value_heads": 4, "vocab_size": 151936,
        "sliding_window": None, "tie_word_embeddings": False,
    },
    "deepseek_v3": DEEPSEEK | {
        "model_type": "deepseek_v3", "num_attention_heads": 128, "num_key_value_heads": 128, "n_routed_experts": 256,
        "first_k_dense_replace": 3, "vocab_size": 129280, "max_position_embeddings": 163840,
    },
    "kimi_k2": DEEPSEEK | {
        "model_type": "kimi_k2", "num_attention_heads": 64, "num_key_value_heads": 64, "n_routed_experts": 384,
        "first_k_dense_replace": 1, "vocab_size": 163840, "max_position_embeddings": 131072,
    },
    "minimax_m2_5": {
        "architectures": ["MiniMaxM2ForCausalLM"], "model_type": "minimax", "head_dim": 128, "hidden_size": 3072,
        "intermediate_size": 1536, "max_position_embeddings": 196608, "num_attention_heads": 48, "vocab_size": 200064,
        "num_experts_per_tok": 8, "num_hidden_layers": 62, "num_key_value_heads": 8, "num_local_experts": 256,
        "scoring_func": "sigmoid", "use_qk_norm": True, "qk_norm_type": "per_layer", "use_routing_bias": True,
        "rotary_dim": 64, "tie_word_embeddings": False,
    },
    "gpt_oss_20b": {
        "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "attention_bias": True, "head_dim": 64,
        "hidden_size": 2880, "intermediate_size": 2880, "max_position_embeddings": 131072, "num_attention_heads": 64,
        "layer_types": ["sliding_attention", "full_attention"] * 12, "num_hidden_layers": 24, "num_key_value_heads": 8,
        "num_local_experts": 32, "num_experts_per_tok": 4, "experts_per_token": 4, "sliding_window": 128,
        "vocab_size": 201088, "tie_word_embeddings": False,
    },
    "gemma2_9b": {
        "architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "attention_bias": False, "head_dim": 256,
        "hidden_size": 3584, "intermediate_size": 14336, "max_position_embeddings": 8192, "num_attention_heads": 16,
        "num_hidden_layers": 42, "num_key_value_heads": 8, "sliding_window": 4096, "vocab_size": 256000,
    },
    "gemma3_27b": {
        "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "text_config": GEMMA3 | {
            "head_dim": 128, "hidden_size": 5376, "intermediate_size": 21504, "num_attention_heads": 32,
            "num_hidden_layers": 62, "num_key_value_heads": 16, "sliding_window": 1024,
        },
    },
    "gemma3_4b": {
        "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "text_config": GEMMA3 | {
            "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34, "sliding_window": 1024,
        },
    },
    "gemma3_1b": GEMMA3 | {
        "architectures": ["Gemma3ForCausalLM"], "head_dim": 256, "hidden_size": 1152, "intermediate_size": 6912,
        "max_position_embeddings": 131072, "num_attention_heads": 4, "num_hidden_layers": 26, "num_key_value_heads": 1,
        "sliding_window": 512, "sliding_window_pattern": 6,
    },
    "phi2": {
        "architectures": ["PhiForCausalLM"], "model_type": "phi", "hidden_size": 2560, "intermediate_size": 10240,
        "max_position_embeddings": 2048, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32,
        "partial_rotary_factor": 0.4, "tie_word_embeddings": False, "vocab_size": 51200,
    },
    "phi3_mini": {
        "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "hidden_size": 3072, "intermediate_size": 8192,
        "max_position_embeddings": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32,
        "sliding_window": 2047, "tie_word_embeddings": False, "vocab_size": 32064,
    },
    "phi4_14b": {
        "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "hidden_size": 5120, "intermediate_size": 17920,
        "max_position_embeddings": 16384, "num_attention_heads": 40, "num_hidden_layers": 40, "num_key_value_heads": 10,
        "sliding_window": None, "tie_word_embeddings": False, "vocab_size": 100352,
    },
    "opt_13b": {
        "architectures": ["OPTForCausalLM"], "model_type": "opt", "do_layer_norm_before": True, "ffn_dim": 20480,
        "hidden_size": 5120, "max_position_embeddings": 2048, "num_attention_heads": 40, "num_hidden_layers": 40,
        "vocab_size": 50272, "word_embed_proj_dim": 5120,
    },
    "gptj_6b": {
        "architectures": ["GPTJForCausalLM"], "model_type": "gptj", "n_embd": 4096, "n_head": 16, "n_inner": None,
        "n_layer": 28, "n_positions": 2048, "rotary_dim": 64, "tie_word_embeddings": False, "vocab_size": 50400,
    },
    "falcon_180b": FALCON | {
        "hidden_size": 14848, "new_decoder_architecture": True, "num_attention_heads": 232, "num_hidden_layers": 80,
        "num_kv_heads": 8,
    },
    "bloom_176b": {
        "architectures": ["BloomForCausalLM"], "model_type": "bloom", "n_embed": 14336, "n_layer": 70,
        "seq_length": 2048, "num_attention_heads": 112, "vocab_size": 250880,
    },
    "mamba2_2_7b": {
        "architectures": ["Mamba2ForCausalLM"], "model_type": "mamba2", "chunk_size": 256, "conv_kernel": 4,
        "expand": 2, "head_dim": 64, "hidden_size": 2560, "n_groups": 1, "num_heads": 80, "num_hidden_layers": 64,
        "state_size": 128,
        "tie_word_embeddings": True, "use_bias": False, "use_conv_bias": True, "vocab_size": 50288,
    },
    "nemotron_h_8b": {
        "architectures": ["NemotronHForCausalLM"], "model_type": "nemotron_h", "attention_bias": False,
        "chunk_size": 128, "attention_head_dim": 128, "conv_kernel": 4, "expand": 2, "hidden_size": 4096,
        "intermediate_size": 21504, "mamba_head_dim": 64,
        "hybrid_override_pattern": "M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-",
        "mamba_num_heads": 128, "max_position_embeddings": 8192, "n_groups": 8, "num_attention_heads": 32,
        "num_hidden_layers": 52, "num_key_value_heads": 8, "ssm_state_size": 128, "tie_word_embeddings": False,
        "vocab_size": 131072,
    },
}  # fmt: skip

GPT2 = {
    "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_ctx": 1024, "n_embd": 768, "n_head": 12,
    "n_layer": 12, "n_positions": 1024, "vocab_size": 50257,
}  # fmt: skip
FALCON_7B = FALCON | {
    "hidden_size": 4544, "new_decoder_architecture": False, "num_attention_heads": 71, "num_hidden_layers": 32,
}  # fmt: skip
