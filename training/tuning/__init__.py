"""What TRL's trainers do here: continued pre-training, supervised fine-tuning, DPO and RLOO."""
